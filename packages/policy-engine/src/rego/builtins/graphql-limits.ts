/**
 * How large a GraphQL document may be. gqlparser, which OPA uses, bounds only nesting (1,000 levels); here a document
 * shares a process with admission, and validating a query takes time that grows with the square of its size.
 */

/** UTF-16 units of a query or schema. */
export const maxDocumentLength = 1024 * 1024;
/** Tokens of a query, or parts of one that is given as an object. */
export const maxQueryTokens = 10_000;
/** The same of a schema: GitHub's, among the largest published, has about 200,000. */
export const maxSchemaTokens = 250_000;
/** Braces and brackets that may be open at once. The syntax tree as a Rego value is about four times as deep. */
export const maxNesting = 200;
/** Characters of a name; looking for names that are like an unknown one compares each character with each. */
export const maxNameLength = 100;
