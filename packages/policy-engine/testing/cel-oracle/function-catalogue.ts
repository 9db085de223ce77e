/**
 * Every function a ValidatingAdmissionPolicy of Kubernetes 1.37 may call, with the types it takes and gives, from
 * which the generator composes expressions. `string@pool` asks for a literal of that pool (literals.ts) most of the
 * time, so that a call of `ip()` is not always an error. Sources: apiserver pkg/cel/environment/base.go for what is
 * enabled, the libraries it names for the signatures, and the CEL specification's list of standard functions.
 */
export interface Signature {
  /** What the statistics count it under. */
  readonly key: string;
  readonly name: string;
  /** Type of the receiver; undefined for a global function. */
  readonly receiver: string | undefined;
  readonly params: readonly string[];
  readonly result: string;
}

const libraries = {
  standard: [
    "bool(string@bool) bool",
    "bool(bool) bool",
    "bytes(string) bytes",
    "double(string@number) double",
    "double(int) double",
    "double(uint) double",
    "duration(string@duration) duration",
    "dyn(int) int",
    "int(string@number) int",
    "int(double) int",
    "int(uint) int",
    "int(timestamp) int",
    "string(int) string",
    "string(uint) string",
    "string(double) string",
    "string(bool) string",
    "string(bytes) string",
    "string(timestamp) string",
    "string(duration) string",
    "timestamp(string@timestamp) timestamp",
    "timestamp(int) timestamp",
    "uint(string@number) uint",
    "uint(int) uint",
    "uint(double) uint",
    "size(string) int",
    "size(bytes) int",
    "size(list<string>) int",
    "size(map<string,int>) int",
    "string.size() int",
    "list<int>.size() int",
    "string.contains(string@part) bool",
    "string.startsWith(string@part) bool",
    "string.endsWith(string@part) bool",
    "string.matches(string@regex) bool",
    "timestamp.getFullYear() int",
    "timestamp.getMonth() int",
    "timestamp.getDate() int",
    "timestamp.getDayOfMonth() int",
    "timestamp.getDayOfWeek() int",
    "timestamp.getDayOfYear() int",
    "timestamp.getHours() int",
    "timestamp.getMinutes() int",
    "timestamp.getSeconds() int",
    "timestamp.getMilliseconds() int",
    "timestamp.getHours(string@zone) int",
    "timestamp.getDate(string@zone) int",
    "timestamp.getDayOfWeek(string@zone) int",
    "timestamp.getFullYear(string@zone) int",
    "duration.getHours() int",
    "duration.getMinutes() int",
    "duration.getSeconds() int",
    "duration.getMilliseconds() int",
    "type(int) type",
    "type(string) type",
    "type(list<int>) type",
  ],
  strings: [
    "string.charAt(int@index) string",
    "string.indexOf(string@part) int",
    "string.indexOf(string@part,int@index) int",
    "string.lastIndexOf(string@part) int",
    "string.lastIndexOf(string@part,int@index) int",
    "string.lowerAscii() string",
    "string.upperAscii() string",
    "string.replace(string@part,string) string",
    "string.replace(string@part,string,int@index) string",
    "string.split(string@separator) list<string>",
    "string.split(string@separator,int@index) list<string>",
    "string.substring(int@index) string",
    "string.substring(int@index,int@index) string",
    "string.trim() string",
    "strings.quote(string) string",
    "list<string>.join() string",
    "list<string>.join(string@separator) string",
  ],
  lists: [
    "list<int>.isSorted() bool",
    "list<string>.isSorted() bool",
    "list<timestamp>.isSorted() bool",
    "list<int>.sum() int",
    "list<double>.sum() double",
    "list<uint>.sum() uint",
    "list<duration>.sum() duration",
    "list<int>.min() int",
    "list<int>.max() int",
    "list<string>.min() string",
    "list<double>.max() double",
    "list<duration>.max() duration",
    "list<int>.indexOf(int) int",
    "list<string>.lastIndexOf(string) int",
    "list<int>.slice(int@index,int@index) list<int>",
    "list<list<int>>.flatten() list<int>",
    "list<int>.sort() list<int>",
    "list<string>.sort() list<string>",
    "list<string>.distinct() list<string>",
    "list<int>.reverse() list<int>",
    "lists.range(int@index) list<int>",
    "list<int>.first() optional<int>",
    "list<string>.last() optional<string>",
  ],
  sets: [
    "sets.contains(list<int>,list<int>) bool",
    "sets.equivalent(list<string>,list<string>) bool",
    "sets.intersects(list<int>,list<int>) bool",
  ],
  optionals: [
    "optional.of(int) optional<int>",
    "optional.ofNonZeroValue(string) optional<string>",
    "optional<int>.hasValue() bool",
    "optional<string>.value() string",
    "optional<string>.or(optional<string>) optional<string>",
    "optional<int>.orValue(int) int",
    "optional.unwrap(list<optional<int>>) list<int>",
    "list<optional<string>>.unwrapOpt() list<string>",
  ],
  regex: [
    "string.find(string@regex) string",
    "string.findAll(string@regex) list<string>",
    "string.findAll(string@regex,int@index) list<string>",
  ],
  urls: [
    "isURL(string@url) bool",
    "url(string@url) url",
    "url.getScheme() string",
    "url.getHost() string",
    "url.getHostname() string",
    "url.getPort() string",
    "url.getEscapedPath() string",
    "url.getQuery() map<string,list<string>>",
  ],
  ip: [
    "isIP(string@ip) bool",
    "ip(string@ip) ip",
    "ip.isCanonical(string@ip) bool",
    "ip.family() int",
    "ip.isUnspecified() bool",
    "ip.isLoopback() bool",
    "ip.isLinkLocalMulticast() bool",
    "ip.isLinkLocalUnicast() bool",
    "ip.isGlobalUnicast() bool",
    "string(ip) string",
  ],
  cidr: [
    "isCIDR(string@cidr) bool",
    "cidr(string@cidr) cidr",
    "cidr.containsIP(string@ip) bool",
    "cidr.containsIP(ip) bool",
    "cidr.containsCIDR(string@cidr) bool",
    "cidr.containsCIDR(cidr) bool",
    "cidr.ip() ip",
    "cidr.masked() cidr",
    "cidr.prefixLength() int",
    "string(cidr) string",
  ],
  quantity: [
    "isQuantity(string@quantity) bool",
    "quantity(string@quantity) quantity",
    "quantity.isInteger() bool",
    "quantity.asInteger() int",
    "quantity.asApproximateFloat() double",
    "sign(quantity) int",
    "quantity.add(quantity) quantity",
    "quantity.add(int@index) quantity",
    "quantity.sub(quantity) quantity",
    "quantity.sub(int@index) quantity",
    "quantity.isGreaterThan(quantity) bool",
    "quantity.isLessThan(quantity) bool",
    "quantity.compareTo(quantity) int",
  ],
  format: [
    ...[
      "dns1123Label",
      "dns1123Subdomain",
      "dns1035Label",
      "qualifiedName",
      "dns1123LabelPrefix",
      "dns1123SubdomainPrefix",
      "dns1035LabelPrefix",
      "labelValue",
      "uri",
      "uuid",
      "byte",
      "date",
      "datetime",
    ].map((name) => `format.${name}() format`),
    "format.named(string@format) optional<format>",
    "format.validate(string@formatted) optional<list<string>>",
  ],
  semver: [
    "isSemver(string@semver) bool",
    "isSemver(string@semver,bool) bool",
    "semver(string@semver) semver",
    "semver(string@semver,bool) semver",
    "semver.major() int",
    "semver.minor() int",
    "semver.patch() int",
    "semver.isGreaterThan(semver) bool",
    "semver.isLessThan(semver) bool",
    "semver.compareTo(semver) int",
  ],
  authorizer: [
    "authorizer.path(string@path) pathCheck",
    "authorizer.group(string@group) groupCheck",
    "authorizer.serviceAccount(string@namespace,string@account) authorizer",
    "groupCheck.resource(string@resource) resourceCheck",
    "resourceCheck.subresource(string@subresource) resourceCheck",
    "resourceCheck.namespace(string@namespace) resourceCheck",
    "resourceCheck.name(string@part) resourceCheck",
    "resourceCheck.fieldSelector(string@selector) resourceCheck",
    "resourceCheck.labelSelector(string@selector) resourceCheck",
    "pathCheck.check(string@httpVerb) decision",
    "resourceCheck.check(string@verb) decision",
    "decision.allowed() bool",
    "decision.reason() string",
    "decision.errored() bool",
    "decision.error() string",
  ],
} as const satisfies Record<string, readonly string[]>;

export type LibraryName = keyof typeof libraries;

export const functionCatalogue: readonly Signature[] = Object.entries(libraries).flatMap(([library, lines]) =>
  lines.map((line) => readSignature(library, line)),
);

/** Reads `receiver.name(params) result`; a dotted global name such as `lists.range` is known by its prefix. */
function readSignature(library: string, line: string): Signature {
  const open = line.indexOf("(");
  const close = line.lastIndexOf(")");
  const head = line.slice(0, open);
  const dot = head.lastIndexOf(".");
  const namespaces = ["strings", "lists", "sets", "optional", "format", "ip"];
  const isGlobal = dot < 0 || (namespaces.includes(head.slice(0, dot)) && !isMember(head));
  return {
    key: `${library}: ${line.slice(0, close + 1)}`,
    name: isGlobal ? head : head.slice(dot + 1),
    receiver: isGlobal ? undefined : head.slice(0, dot),
    params: splitTypes(line.slice(open + 1, close)),
    result: line.slice(close + 2),
  };
}

/** `format` and `ip` are types and prefixes of global functions alike. */
function isMember(head: string): boolean {
  const members = [
    "format.validate",
    ...[
      "family",
      "isUnspecified",
      "isLoopback",
      "isLinkLocalMulticast",
      "isLinkLocalUnicast",
      "isGlobalUnicast",
    ].map((name) => `ip.${name}`),
  ];
  return members.includes(head);
}

/** Splits at the commas outside angle brackets. */
export function splitTypes(text: string): string[] {
  const types: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    if (text[at] === "<") depth++;
    if (text[at] === ">") depth--;
    if (at === text.length || (text[at] === "," && depth === 0)) {
      if (at > start) types.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return types;
}
