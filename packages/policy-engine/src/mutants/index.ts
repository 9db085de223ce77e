export { MUTATION_OPERATORS, type Mutant, type MutationOperator, mutantsOf } from "./mutants.ts";
export { MOST_MUTANTS, type MutantOutcome, type MutationScore, mutationScore } from "./score.ts";
