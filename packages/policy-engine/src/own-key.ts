/** Gives a plain object a value of its own under any key, `__proto__` among them: an assignment would change the prototype instead. */
export function setOwnKey<T>(object: Record<string, T>, key: string, value: NoInfer<T>): void {
  if (key === "__proto__")
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}
