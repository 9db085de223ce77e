import { CelError } from "../errors.ts";
import type { Library } from "../library.ts";
import { BYTES, STRING } from "../types.ts";
import type { CelValue } from "../values.ts";

/** Standard alphabet, padded or not at all; other forms are refused as Go's encoding/base64 does. */
function decode(value: CelValue): CelValue {
  const text = (value as string).replace(/[\r\n]/g, "");
  const padded = /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  const data = text.replace(/=+$/, "");
  const isComplete = text.length === data.length ? data.length % 4 !== 1 : text.length % 4 === 0;
  if (!padded || !isComplete) throw new CelError(`illegal base64 data at input byte ${firstBad(text)}`);
  return new Uint8Array(Buffer.from(data, "base64"));
}

function firstBad(text: string): number {
  const bad = text.search(/[^A-Za-z0-9+/]/);
  return bad === -1 ? text.length : bad;
}

/** base64 (ext/encoders.go of cel-go). */
export const encodersLibrary: Library = {
  name: "encoders",
  functions: [
    {
      name: "base64.decode",
      overloads: [
        { id: "base64_decode_string", isMember: false, params: [STRING], result: BYTES, call: decode },
      ],
    },
    {
      name: "base64.encode",
      overloads: [
        {
          id: "base64_encode_bytes",
          isMember: false,
          params: [BYTES],
          result: STRING,
          call: (bytes) => Buffer.from(bytes as Uint8Array).toString("base64"),
        },
      ],
    },
  ],
};
