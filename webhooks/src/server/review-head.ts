import { type AdmissionRequest, decodeAdmissionReview } from "./admission-review.ts";
import { HttpError } from "./http-error.ts";
import { endOfString } from "./json-depth.ts";

/** What is known of a review whose end has not been read. */
export interface ReviewHead {
  readonly uid: string;
  /** Without its objects, and whether it is a dry run; undefined where more than that is missing. */
  readonly request: AdmissionRequest | undefined;
}

/**
 * What a review is about: API servers write that before the objects (AdmissionRequest, k8s.io/api/admission/v1), and nothing but
 * options behind them. Undefined where not even its uid is there, without which there is no answering it.
 */
export function reviewHead(bytes: Uint8Array): ReviewHead | undefined {
  const end = startOfObject(bytes);
  const request = end === undefined ? undefined : requestUpTo(bytes.subarray(0, end));
  const uid = request?.uid ?? uidIn(bytes);
  return uid === undefined ? undefined : { uid, request };
}

function requestUpTo(bytes: Uint8Array): AdmissionRequest | undefined {
  try {
    return decodeAdmissionReview(Buffer.concat([bytes, Buffer.from('"options":null}}')]));
  } catch (error) {
    if (error instanceof HttpError) return undefined;
    throw error;
  }
}

const longestUid = 256;

function uidIn(bytes: Uint8Array): string | undefined {
  const beginning = Buffer.from(bytes.subarray(0, 1_024)).toString("latin1");
  const uid =
    /^\{"kind":"AdmissionReview","apiVersion":"admission\.k8s\.io\/v1","request":\{"uid":"([-\w]+)"/.exec(
      beginning,
    )?.[1];
  return uid !== undefined && uid.length <= longestUid ? uid : undefined;
}

const objectKey = Buffer.from('"object"');

/** Where the key `object` of the review's `request` is. */
function startOfObject(bytes: Uint8Array): number | undefined {
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    switch (bytes[i]) {
      case 0x22: {
        const end = endOfString(bytes, i);
        const isKey = bytes[end + 1] === 0x3a;
        if (isKey && depth === 2 && objectKey.equals(bytes.subarray(i, end + 1))) return i;
        i = end;
        break;
      }
      case 0x7b:
      case 0x5b:
        depth++;
        break;
      case 0x7d:
      case 0x5d:
        depth--;
        break;
      default:
    }
  }
  return undefined;
}
