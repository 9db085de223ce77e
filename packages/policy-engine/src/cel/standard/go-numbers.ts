// How Go's strconv and fmt read and write numbers, since CEL's conversions are defined by them in Kubernetes.

/** strconv.ParseInt(text, 10, …): digits with an optional sign; undefined for anything else. */
export function parseGoInteger(text: string): bigint | undefined {
  return /^[+-]?[0-9]{1,100}$/.test(text) ? BigInt(text.startsWith("+") ? text.slice(1) : text) : undefined;
}

/** strconv.ParseUint(text, 10, …): digits only; undefined for anything else. */
export function parseGoUnsigned(text: string): bigint | undefined {
  return /^[0-9]{1,100}$/.test(text) ? BigInt(text) : undefined;
}

/** strconv.ParseFloat without its hexadecimal form; undefined for anything else and for what exceeds a double. */
export function parseGoFloat(text: string): number | undefined {
  if (/^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
  const word = text.toLowerCase();
  if (/^[+-]?inf(inity)?$/.test(word)) return word.startsWith("-") ? -Infinity : Infinity;
  return word === "nan" || word === "+nan" || word === "-nan" ? Number.NaN : undefined;
}

interface Decimal {
  readonly isNegative: boolean;
  /** Significant digits, the shortest that read back as the same double. */
  readonly digits: string;
  /** Power of ten of the first digit. */
  readonly exponent: number;
}

function decimalOf(value: number): Decimal {
  const [mantissa = "0", exponent = "0"] = Math.abs(value).toExponential().split("e");
  return {
    isNegative: value < 0 || Object.is(value, -0),
    digits: mantissa.replace(".", ""),
    exponent: Number(exponent),
  };
}

function notFinite(value: number): string | undefined {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return undefined;
  return value > 0 ? "+Inf" : "-Inf";
}

/** fmt's `%g`: shortest digits, exponent form below 1e-4 and from 1e6 on; `%v` differs in doing so from 1e21 on. */
export function formatGoG(value: number, largeExponent = 6): string {
  const special = notFinite(value);
  if (special !== undefined) return special;
  const { isNegative, digits, exponent } = decimalOf(value);
  if (exponent >= -4 && exponent < largeExponent) return formatGoFixed(value);
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
  const sign = exponent < 0 ? "-" : "+";
  return `${isNegative ? "-" : ""}${digits.charAt(0)}${fraction}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** strconv.FormatFloat(value, 'f', -1, 64): shortest digits, never an exponent. */
export function formatGoFixed(value: number): string {
  const special = notFinite(value);
  if (special !== undefined) return special;
  const { isNegative, digits, exponent } = decimalOf(value);
  const point = exponent + 1;
  const sign = isNegative ? "-" : "";
  if (point <= 0) return digits === "0" ? `${sign}0` : `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits.padEnd(point, "0");
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
