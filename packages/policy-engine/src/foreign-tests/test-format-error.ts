/** A test file is not what it has to be; the message names the field and what to do. */
export class TestFormatError extends Error {
  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.name = "TestFormatError";
  }
}
