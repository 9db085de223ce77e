/**
 * Test tooling: the process whose informers the faults are for. Writes down what its client got and what its
 * handlers were told, and answers what its parent asks. Run with --expose-gc.
 */
import { createWriteStream } from "node:fs";
import { type Client, createClient, Informer, type KubeObject, loadCredentials } from "../../index.ts";
import { seeded } from "../seed.test-kit.ts";
import { typeOf } from "./churn.test-kit.ts";
import {
  type Delivery,
  fillingAnnotation,
  fillingOf,
  type Lane,
  ownObject,
  tokenAnnotation,
} from "./delivery.test-kit.ts";

export interface InformersOptions {
  readonly server: string;
  readonly lanes: readonly Lane[];
  readonly seed: number;
  /** Where deliveries are written, one JSON document a line. */
  readonly out: string;
}

export type Question = "memory" | "held" | "end";
export interface Answers {
  memory: { heapBytes: number; rssBytes: number; resources: number };
  /** By lane: name to `uid@resourceVersion`. */
  held: Record<string, string>[];
  end: true;
}

const options = JSON.parse(process.argv[2] ?? "{}") as InformersOptions;
const out = createWriteStream(options.out);
const client = createClient({
  credentials: await loadCredentials(),
  requestTimeoutMs: 3_000,
}).withServer(options.server);
const ended = new AbortController();
const informers = options.lanes.map((lane, index) => inform(lane, index));

function write(delivery: Delivery): void {
  out.write(`${JSON.stringify(delivery)}\n`);
}

/** The client as it is, with each list's beginning and each page's and watch's version written down. */
function observed(lane: number): Client {
  return Object.create(client, {
    list: {
      value: async (...args: Parameters<Client["list"]>) => {
        if (args[1]?.continue === undefined) write({ lane, what: "list" });
        const page = await client.list(...args);
        write({ lane, what: "page", v: Number(page.metadata.resourceVersion) });
        return page;
      },
    },
    watchBatches: {
      value: async function* (...args: Parameters<Client["watchBatches"]>) {
        let isOpen = false;
        for await (const batch of client.watchBatches(...args)) {
          // When the server accepts it: the handlers have then been told all of the list before it.
          if (!isOpen) write({ lane, what: "watch", v: Number(args[1]?.resourceVersion) });
          isOpen = true;
          yield batch;
        }
      },
    },
  }) as Client;
}

function inform(lane: Lane, index: number): Informer {
  const random = seeded(options.seed * 7 + index);
  const informer = new Informer({
    client: observed(index),
    type: typeOf(lane),
    namespace: lane.namespace,
    random: () => random() * 0.05, // short waits: many faults, and not much of a pause between
    settings: { pageSize: 3, watchSeconds: { shortest: 2, longest: 2 }, endMarginMs: 1_000 },
  });
  const tell = (
    what: "added" | "updated" | "deleted",
    object: KubeObject,
    isLastStateKnown?: boolean,
  ): void => {
    const { name, uid = "", resourceVersion, annotations = {} } = object.metadata;
    if (name === ownObject) return;
    const token = annotations[tokenAnnotation] ?? "";
    const isWhole = annotations[fillingAnnotation] === fillingOf(token);
    const known = isLastStateKnown === undefined ? {} : { isLastStateKnown };
    write({ lane: index, what, name, uid, v: Number(resourceVersion), token, isWhole, ...known });
  };
  informer.on({
    added: (object) => tell("added", object),
    updated: (_old, object) => tell("updated", object),
    deleted: (last, isLastStateKnown) => tell("deleted", last, isLastStateKnown),
  });
  void informer.start(ended.signal);
  return informer;
}

function answer(question: Question): Answers[Question] {
  switch (question) {
    case "memory": {
      globalThis.gc?.();
      globalThis.gc?.();
      const { heapUsed, rss } = process.memoryUsage();
      return { heapBytes: heapUsed, rssBytes: rss, resources: process.getActiveResourcesInfo().length };
    }
    case "held":
      return informers.map(({ store }) =>
        Object.fromEntries(
          store
            .list()
            .filter(({ metadata }) => metadata.name !== ownObject)
            .map(({ metadata }) => [metadata.name, `${metadata.uid}@${metadata.resourceVersion}`]),
        ),
      );
    case "end":
      ended.abort(new Error("the run has ended"));
      return true;
    default:
      return question satisfies never;
  }
}

process.on("message", (question: Question) => {
  const value = answer(question);
  if (question !== "end") {
    process.send?.({ question, value });
    return;
  }
  void client.close();
  out.end(() => {
    process.send?.({ question, value });
    process.disconnect();
  });
});
