import { Secret } from "../kubernetes/resources.ts";
import { isForbidden, isNotFound } from "../transport/api-error.ts";
import type { Client } from "../transport/client.ts";

export interface SecretKey {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

const timeoutMs = 10_000;

/**
 * The text under one key of a Secret, as it is now.
 *
 * @param remedy what to do where the right to get it is missing; ends a sentence
 * @throws Error saying what to do; nothing of the Secret is in it
 */
export async function readSecretText(
  client: Client,
  { namespace, name, key }: SecretKey,
  remedy: string,
): Promise<string> {
  const what = `Secret "${name}" in namespace "${namespace}"`;
  let secret: Secret;
  try {
    secret = await client.get(Secret, { namespace, name }, { timeoutMs });
  } catch (error) {
    if (isNotFound(error)) throw new Error(`there is no ${what}: create it`, { cause: error });
    if (isForbidden(error)) throw new Error(`ShieldX may not read ${what}: ${remedy}`, { cause: error });
    throw error;
  }
  const { data = {} } = secret;
  const encoded = Object.hasOwn(data, key) ? data[key] : undefined;
  if (encoded === undefined) throw new Error(`${what} has no key "${key}": add it, or correct the reference`);
  return Buffer.from(encoded, "base64").toString();
}
