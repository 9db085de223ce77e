import {
  listsLibrary as celListsLibrary,
  type Library,
  optionalsLibrary,
  stringsLibrary,
  twoVariableLibrary,
} from "../index.ts";
import { authorizerLibrary, authorizerSelectorsLibrary } from "../kubernetes/authorizer.ts";
import { cidrLibrary } from "../kubernetes/cidr.ts";
import { formatLibrary } from "../kubernetes/format.ts";
import { ipLibrary } from "../kubernetes/ip.ts";
import { listsLibrary } from "../kubernetes/lists.ts";
import { quantityLibrary } from "../kubernetes/quantity.ts";
import { regexLibrary } from "../kubernetes/regex.ts";
import { semverLibrary } from "../kubernetes/semver.ts";
import { setsLibrary } from "../kubernetes/sets.ts";
import { urlsLibrary } from "../kubernetes/urls.ts";

/**
 * The libraries of a ValidatingAdmissionPolicy on Kubernetes 1.37, which takes what 1.36 knew: a policy must survive a
 * downgrade by one minor version (DefaultCompatibilityVersion in apiserver pkg/cel/environment/base.go).
 */
export const admissionLibraries: readonly Library[] = [
  stringsLibrary({ version: 2 }),
  celListsLibrary,
  optionalsLibrary,
  twoVariableLibrary,
  urlsLibrary,
  regexLibrary,
  listsLibrary,
  authorizerLibrary,
  authorizerSelectorsLibrary,
  quantityLibrary,
  setsLibrary,
  ipLibrary,
  cidrLibrary,
  formatLibrary,
  semverLibrary,
];
