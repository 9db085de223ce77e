import { integer, type RegoNumber } from "./values.ts";

/** Integers with more digits than this are refused: nobody writes them, and work on them is not constant. */
const maxDigits = 1_000;

/** Longest text read; more digits than this after the point would be lost anyway. */
const maxTextLength = 2_000;

/** The number a literal of Rego stands for: exact for integers, the nearest double otherwise. Throws RangeError. */
export function numberLiteral(text: string): RegoNumber {
  // Adding zero makes -0 zero.
  if (/^-?\d{1,15}$/.test(text)) return Number(text) + 0;
  if (text.length > maxTextLength)
    throw new RangeError(`a number is longer than ${maxTextLength} characters`);
  const parts = /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  const [, sign = "", whole = "", fraction = "", exponentText = "0"] = parts ?? [];
  if (!parts || whole + fraction === "")
    throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is no number`);
  const digits = (whole + fraction).replace(/^0+|0+$/g, "");
  if (digits === "") return 0;
  const trailingZeros = /0*$/.exec(whole + fraction)?.[0].length ?? 0;
  const exponent = Number(exponentText) - fraction.length + trailingZeros;
  if (exponent < 0) return Number(text);
  if (digits.length + exponent > maxDigits)
    throw new RangeError(`a number has more than ${maxDigits} digits`);
  return integer(BigInt(`${sign}${digits}${"0".repeat(exponent)}`));
}
