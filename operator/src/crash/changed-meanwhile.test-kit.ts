// Somebody else who is faster: what happens to an object between the look at it and its deletion.
import type { Client, ObjectKey, ResourceType } from "@shieldx/controller-runtime";

/** The client, before whose every deletion of a kind something is done to the object; once for each object. */
export function beforeDeletion(
  client: Client,
  plural: string,
  meanwhile: (type: ResourceType, key: ObjectKey) => Promise<unknown>,
): Client {
  const done = new Set<string>();
  return {
    ...client,
    delete: async (type, key, options) => {
      const id = `${key.namespace}/${key.name}`;
      if (type.plural === plural && !done.has(id)) {
        done.add(id);
        await meanwhile(type, key);
      }
      return client.delete(type, key, options);
    },
  };
}
