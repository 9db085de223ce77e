import { generationPace } from "./pace.ts";

const closuresOnly = { warmUp: Number.POSITIVE_INFINITY, between: 0 };
const atOnce = { warmUp: 0, between: 0 };

export function asClosures<T>(evaluate: () => T): T {
  return atPace(closuresOnly, evaluate);
}

export function asCode<T>(evaluate: () => T): T {
  return atPace(atOnce, evaluate);
}

function atPace<T>(pace: typeof generationPace, evaluate: () => T): T {
  const usual = { ...generationPace };
  Object.assign(generationPace, pace);
  try {
    return evaluate();
  } finally {
    Object.assign(generationPace, usual);
  }
}
