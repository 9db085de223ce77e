import type { KubeList, KubeObject } from "../kubernetes/objects.ts";
import { type RequestDescription, TransportError } from "./api-error.ts";
import type { JsonReader } from "./client.ts";
import { ListParser } from "./list-parser.ts";

/**
 * Reads the body of a list, handing on items as they arrive; resolves to the list without them.
 * @throws TransportError `MalformedResponse` when the body is not a whole list, `ResponseTooLarge`; or what `onItems` throws
 */
export async function readList<T extends KubeObject>(
  body: AsyncIterable<Buffer>,
  request: RequestDescription,
  maxHeldBytes: number,
  onItems: (items: T[]) => void,
  parse?: JsonReader,
): Promise<KubeList<T>> {
  const parser = new ListParser<T>(maxHeldBytes, parse);
  for await (const chunk of body) {
    const items = explained(request, () => parser.push(chunk));
    if (items.length > 0) onItems(items);
  }
  const { items, envelope } = explained(request, () => parser.end());
  if (items.length > 0) onItems(items);
  return { ...envelope, items: [] } as unknown as KubeList<T>;
}

function explained<R>(request: RequestDescription, parse: () => R): R {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError) {
      throw new TransportError("ResponseTooLarge", request, error.message, error);
    }
    throw new TransportError("MalformedResponse", request, "the answer is not a list in JSON", error);
  }
}
