/**
 * Go's fmt.Sprintf for the arguments OPA hands it: strings, int64, float64 and *big.Int. A directive that does
 * not fit its argument is no error but text, `%!d(string=hi)`, as in Go.
 */
import { type Flags, formatArgument, goType, type PrintfArgument } from "./printf-values.ts";

export type { PrintfArgument } from "./printf-values.ts";

/** Width and precision beyond this are malformed (fmt's tooLarge). */
const largestNumber = 1_000_000;

interface State {
  readonly format: string;
  readonly args: readonly PrintfArgument[];
  /** Told about every piece of output, so that the caller can stop growth. */
  readonly emit: (text: string) => void;
  at: number;
  argument: number;
  reordered: boolean;
  goodIndex: boolean;
  afterIndex: boolean;
}

function readFlags(state: State): Flags {
  const flags: Flags = {
    sharp: false,
    zero: false,
    plus: false,
    minus: false,
    space: false,
    width: undefined,
    precision: undefined,
  };
  for (; state.at < state.format.length; state.at += 1) {
    switch (state.format[state.at]) {
      case "#":
        flags.sharp = true;
        break;
      case "0":
        flags.zero = true;
        break;
      case "+":
        flags.plus = true;
        break;
      case "-":
        flags.minus = true;
        break;
      case " ":
        flags.space = true;
        break;
      default:
        return flags;
    }
  }
  return flags;
}

/** Digits as a number; when it is too large the rest of the format is given up, as Go does. */
function readNumber(state: State): number | undefined {
  let value: number | undefined;
  while (state.at < state.format.length) {
    const digit = state.format.charCodeAt(state.at) - 0x30;
    if (digit < 0 || digit > 9) {
      break;
    }
    value = (value ?? 0) * 10 + digit;
    if (value > largestNumber) {
      state.at = state.format.length;
      return undefined;
    }
    state.at += 1;
  }
  return value;
}

/** An explicit argument index, `[2]`. */
function readIndex(state: State): void {
  state.afterIndex = false;
  if (state.format[state.at] !== "[") {
    return;
  }
  state.reordered = true;
  const close = state.format.indexOf("]", state.at);
  if (close < 0) {
    state.goodIndex = false;
    state.at += 1;
    return;
  }
  const inner = state.format.slice(state.at + 1, close);
  const digits = inner.length > 0 && inner.length < 8 && Array.from(inner).every((c) => c >= "0" && c <= "9");
  const index = digits ? Number(inner) - 1 : -1;
  state.at = close + 1;
  if (index < 0 || index >= state.args.length) {
    state.goodIndex = false;
    state.afterIndex = digits;
    return;
  }
  state.argument = index;
  state.afterIndex = true;
}

/** A width or precision taken from the arguments by `*`. */
function readStar(state: State): number | undefined {
  const value = state.args[state.argument];
  if (value === undefined) {
    return undefined;
  }
  state.argument += 1;
  const usable = goType(value) === "int64" && Math.abs(Number(value)) <= largestNumber;
  return usable ? Number(value) : undefined;
}

function readWidth(state: State, flags: Flags): void {
  if (state.format[state.at] !== "*") {
    flags.width = readNumber(state);
    if (state.afterIndex && flags.width !== undefined) {
      state.goodIndex = false;
    }
    return;
  }
  state.at += 1;
  flags.width = readStar(state);
  if (flags.width === undefined) {
    state.emit("%!(BADWIDTH)");
  } else if (flags.width < 0) {
    flags.width = -flags.width;
    flags.minus = true;
    flags.zero = false;
  }
  state.afterIndex = false;
}

function readPrecision(state: State, flags: Flags): void {
  if (state.format[state.at] !== "." || state.at + 1 >= state.format.length) {
    return;
  }
  state.at += 1;
  if (state.afterIndex) {
    state.goodIndex = false;
  }
  readIndex(state);
  if (state.format[state.at] !== "*") {
    flags.precision = readNumber(state) ?? 0;
    return;
  }
  state.at += 1;
  const value = readStar(state);
  flags.precision = value !== undefined && value >= 0 ? value : undefined;
  if (flags.precision === undefined) {
    state.emit("%!(BADPREC)");
  }
  state.afterIndex = false;
}

/** One directive, the `%` already read. False when the format ended inside it. */
function directive(state: State): boolean {
  state.goodIndex = true;
  state.afterIndex = false;
  const flags = readFlags(state);
  readIndex(state);
  readWidth(state, flags);
  readPrecision(state, flags);
  if (!state.afterIndex) {
    readIndex(state);
  }
  if (state.at >= state.format.length) {
    state.emit("%!(NOVERB)");
    return false;
  }
  const verb = String.fromCodePoint(state.format.codePointAt(state.at) ?? 0);
  state.at += verb.length;
  const value = state.args[state.argument];
  if (verb === "%") {
    state.emit("%");
  } else if (!state.goodIndex) {
    state.emit(`%!${verb}(BADINDEX)`);
  } else if (value === undefined) {
    state.emit(`%!${verb}(MISSING)`);
  } else {
    state.emit(formatArgument(flags, value, verb === "w" ? "v" : verb));
    state.argument += 1;
  }
  return true;
}

const NO_FLAGS: Flags = {
  sharp: false,
  zero: false,
  plus: false,
  minus: false,
  space: false,
  width: undefined,
  precision: undefined,
};

/** @param emit gets the output piece by piece; may throw to stop it from growing. */
export function printf(format: string, args: readonly PrintfArgument[], emit: (text: string) => void): void {
  const state: State = {
    format,
    args,
    emit,
    at: 0,
    argument: 0,
    reordered: false,
    goodIndex: true,
    afterIndex: false,
  };
  while (state.at < format.length) {
    const percent = format.indexOf("%", state.at);
    const end = percent < 0 ? format.length : percent;
    if (end > state.at) {
      emit(format.slice(state.at, end));
    }
    state.at = end + 1;
    if (percent < 0 || !directive(state)) {
      break;
    }
  }
  if (!state.reordered && state.argument < args.length) {
    let before = "%!(EXTRA ";
    for (const value of args.slice(state.argument)) {
      emit(`${before}${goType(value)}=${formatArgument(NO_FLAGS, value, "v")}`);
      before = ", ";
    }
    emit(")");
  }
}
