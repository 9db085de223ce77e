/**
 * A self-signed server certificate for an IPv4 address, written as DER by hand (X.690; RFC 5280 §4.1): the recording
 * webhook needs one, and this package depends on no library for certificates.
 */
import { generateKeyPairSync, sign } from "node:crypto";

export interface ServerCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

const ecdsaWithSha256 = sequence(oid([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));

/** `name`: its common name, by which several are told apart. Valid from an hour before `now` (milliseconds) until a day after it. */
export function selfSignedCertificate(
  address: string,
  now: number,
  name = "recording webhook",
): ServerCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const commonName = sequence(oid([0x55, 0x04, 0x03]), der(0x0c, Buffer.from(name)));
  const names = sequence(der(0x31, commonName));
  const addressBytes = Buffer.from(address.split(".").map(Number));
  const alternativeNames = sequence(der(0x87, addressBytes));
  const extension = sequence(oid([0x55, 0x1d, 0x11]), der(0x04, alternativeNames));
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    names,
    sequence(time(now - 3_600_000), time(now + 86_400_000)),
    names,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(extension)),
  );
  const signature = sign("sha256", toBeSigned, privateKey);
  const certificate = sequence(toBeSigned, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    certificatePem: ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n"),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function oid(bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

/** GeneralizedTime without fractions. */
function time(ms: number): Buffer {
  return der(0x18, Buffer.from(new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, "")));
}
