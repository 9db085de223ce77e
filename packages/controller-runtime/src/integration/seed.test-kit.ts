import { seeded } from "../election/election-simulation.test-kit.ts";

export { seeded };

/** SHIELDX_SEED, or a new one; printed, so that a failing run can be had again. */
export function seedOfRun(what: string): number {
  const given = Number(process.env.SHIELDX_SEED);
  const seed = Number.isInteger(given) && given > 0 ? given : Math.floor(Math.random() * 2 ** 31) + 1;
  console.log(`${what}: SHIELDX_SEED=${seed}`);
  return seed;
}
