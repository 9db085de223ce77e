import { readFile } from "node:fs/promises";
import { readCertificate, splitBundle } from "@shieldx/pki";
import { FlagError } from "./flag-error.ts";

/**
 * The authorities of `--client-ca-file`, as PEM. TLS would skip what it cannot read, and then send every API server away.
 * @throws FlagError that says what is wrong with the file
 */
export async function readClientCa(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FlagError(
      `--client-ca-file ${file}: cannot be read (${why}): check the ConfigMap and its key (chart value webhooks.clientCaConfigMap)`,
      { cause },
    );
  }
  const certificates = splitBundle(text);
  if (certificates.length === 0)
    throw new FlagError(`--client-ca-file ${file}: holds no certificate: put PEM blocks CERTIFICATE in it`);
  for (const [index, pem] of certificates.entries()) {
    const which = `--client-ca-file ${file}: certificate ${index + 1} of ${certificates.length}`;
    let isAuthority: boolean;
    try {
      isAuthority = readCertificate(pem).isAuthority;
    } catch (cause) {
      throw new FlagError(`${which} cannot be read: replace it`, { cause });
    }
    if (!isAuthority)
      throw new FlagError(
        `${which} is no authority's: put in who signs the API servers' client certificates, not one of these`,
      );
  }
  return certificates.join("");
}
