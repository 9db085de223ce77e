/**
 * YAML text to the documents of the `yaml` package, counted as work while they are read: it takes microseconds a
 * character, in three steps that each run to the end of the text.
 */
import { Composer, CST, type Document, Lexer, LineCounter, Parser } from "yaml";
import { countWork } from "../work-meter.ts";

/** Units of work for a lexeme, and for an entry of a list or mapping that is made of them. */
const lexemeCost = 8;
const entryCost = 24;

const options = { merge: true, uniqueKeys: false, intAsBigInt: true, logLevel: "silent" } as const;

export interface Documents {
  readonly documents: readonly Document.Parsed[];
  /** The line, from 1, of an offset. */
  readonly lineOf: (offset: number) => number;
}

export function readDocuments(text: string): Documents {
  const lines = new LineCounter();
  const composer = new Composer(options);
  const documents: Document.Parsed[] = [];
  for (const token of tokensOf(text, lines)) {
    if (token.type === "document") countEntries(token);
    documents.push(...composer.next(token));
  }
  documents.push(...composer.end());
  return { documents, lineOf: (offset) => lines.linePos(offset).line };
}

function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  for (const lexeme of new Lexer().lex(text)) {
    countWork(lexemeCost + (lexeme.length >>> 2));
    yield* parser.next(lexeme);
  }
  yield* parser.end();
}

/** Has each entry counted at the moment the composer reads where it begins, as it has no other way to be watched. */
function countEntries(document: CST.Document): void {
  CST.visit(document, (item) => {
    const { start } = item;
    countWork(1);
    Object.defineProperty(item, "start", {
      configurable: true,
      enumerable: true,
      get: () => {
        countWork(entryCost);
        return start;
      },
    });
  });
}
