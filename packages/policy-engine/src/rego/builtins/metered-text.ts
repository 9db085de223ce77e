import { indexIn } from "../../text-search.ts";
import { countWork } from "../work-meter.ts";

/** Characters read between two counts. */
const stride = 64;

/**
 * A text that counts how much of it a regular expression reads: one search over a long text takes a second and more,
 * and only the text is asked for again and again meanwhile. re2js takes `String` objects as it takes strings.
 */
export class MeteredText extends String {
  readonly #text: string;
  readonly #workPerStride: number;
  #read = 0;

  /** `programSize` is what each character may take: every instruction once. */
  constructor(text: string, programSize: number) {
    super(text);
    this.#text = text;
    this.#workPerStride = stride / 4 + programSize;
  }

  override charCodeAt(index: number): number {
    if (++this.#read === stride) {
      this.#read = 0;
      countWork(this.#workPerStride);
    }
    return this.#text.charCodeAt(index);
  }

  override indexOf(search: string, position = 0): number {
    countWork(1 + ((this.#text.length - position) >>> 4));
    return indexIn(this.#text, search, position);
  }
}
