/** `make bench-images`: what verifying signatures of images costs. See README.md. */
import { describeMachine } from "../lib/machine.ts";
import { publishResults } from "../lib/results.ts";
import { settingsFrom } from "../lib/settings.ts";
import { benchImages } from "./reviews.ts";

const base = settingsFrom(process.env, []);
const images = Number(process.env.IMAGES ?? (base.isQuick ? 100 : 1_000));
if (!Number.isInteger(images) || images < 1)
  throw new RangeError(`IMAGES=${process.env.IMAGES}: not a count of images`);
publishResults("images", await benchImages({ ...base, images }), describeMachine([]), base);
