/**
 * Cuts a byte stream into lines at `\n`, on bytes: a chunk may end anywhere, also inside a multi-byte
 * character, because bytes are decoded only once a line is whole. Empty lines are skipped.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #parts: Buffer[] = [];
  #heldBytes = 0;

  /** @param maxLineBytes a longer line throws {@link LineTooLongError}, so that memory stays bounded. */
  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Bytes of an unfinished line held back. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes the next chunk, returns the lines it completed. The chunk is not kept beyond the unfinished line. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#refuseBeyond(this.#heldBytes + end - start);
      if (this.#heldBytes > 0) lines.push(this.#completeWith(chunk.subarray(start, end)));
      else if (end > start) lines.push(chunk.toString("utf8", start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(start === 0 ? chunk : chunk.subarray(start));
    return lines;
  }

  /** The unfinished last line: what is left when a stream ends without a newline. */
  takeRest(): string {
    return this.#completeWith(emptyBytes);
  }

  #hold(rest: Buffer): void {
    this.#refuseBeyond(this.#heldBytes + rest.length);
    this.#parts.push(rest);
    this.#heldBytes += rest.length;
  }

  #completeWith(last: Buffer): string {
    this.#parts.push(last);
    const line = Buffer.concat(this.#parts, this.#heldBytes + last.length).toString("utf8");
    this.#parts = [];
    this.#heldBytes = 0;
    return line;
  }

  #refuseBeyond(bytes: number): void {
    if (bytes > this.#maxLineBytes) throw new LineTooLongError(this.#maxLineBytes);
  }
}

const emptyBytes = Buffer.alloc(0);

/** Thrown by {@link LineSplitter} when a line exceeds its bound. */
export class LineTooLongError extends Error {
  override readonly name = "LineTooLongError";
  readonly maxLineBytes: number;

  constructor(maxLineBytes: number) {
    super(`a line of the stream is longer than ${maxLineBytes} bytes`);
    this.maxLineBytes = maxLineBytes;
  }
}
