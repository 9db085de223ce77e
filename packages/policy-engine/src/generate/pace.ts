/** When a program is worth generating, and how many at a time. A test may set it so that all are, at once. */
export const generationPace = {
  /** Evaluations of the program by closures before. */
  warmUp: 32,
  /** Evaluations of any program, whatever its language, between two: so that no request waits for more than a few. */
  between: 32,
};

let sinceLast = 0;

/** To be asked at each evaluation of a program that is not generated. */
export function isToBeGenerated(evaluations: number): boolean {
  sinceLast++;
  if (evaluations < generationPace.warmUp || sinceLast < generationPace.between) return false;
  sinceLast = 0;
  return true;
}
