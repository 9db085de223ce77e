import type { Informer, KubeObject, ResourceType } from "@shieldx/controller-runtime";

/**
 * Remembers what was deleted while another process led, or none: whoever leads next finds nothing in its cache and
 * could not tell an object that somebody deleted from one that never was. Holds as many objects as there are names.
 */
export class Departures {
  readonly #gone = new Map<string, KubeObject>();

  /** Before the controllers add handlers of their own, which then see what this has noted. */
  follow<T extends KubeObject>(informer: Informer<T>): void {
    const forget = ({ metadata: { name } }: T) => void this.#gone.delete(keyOf(informer.type, name));
    informer.on({
      added: forget,
      updated: (_, object) => forget(object),
      deleted: (object) => void this.#gone.set(keyOf(informer.type, object.metadata.name), object),
    });
  }

  of<T extends KubeObject>(type: ResourceType<T>, name: string): T | undefined {
    return this.#gone.get(keyOf(type, name)) as T | undefined;
  }
}

function keyOf(type: Pick<ResourceType, "plural">, name: string): string {
  return `${type.plural}/${name}`;
}
