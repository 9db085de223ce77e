/**
 * The root of every CEL value that plain JSON cannot express (uint, timestamps, types, opaque library values…).
 * One `instanceof` against it tells a JSON object from a CEL value, so requests are used without conversion.
 */
export abstract class CelBoxed {}
