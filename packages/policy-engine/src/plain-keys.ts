/**
 * Keys of JSON objects. V8 takes some 150 ns for each key of a large one whenever it lists them, so that those are listed once,
 * for as long as the object is there: nobody changes it.
 */

/** Objects of so many keys are wide. */
export const wideObject = 64;
const listed = new WeakMap<object, readonly string[]>();
/** Most processes never see a wide one, and need not look whether it is known. */
let isAnyListed = false;

/** As `Object.keys`; not to be changed. */
export function plainKeys(object: object): readonly string[] {
  const known = isAnyListed ? listed.get(object) : undefined;
  if (known !== undefined) return known;
  const keys = Object.keys(object);
  if (keys.length >= wideObject) {
    isAnyListed = true;
    listed.set(object, keys);
  }
  return keys;
}
