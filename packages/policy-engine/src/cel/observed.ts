import type { Expr } from "./ast.ts";
import { Compiler } from "./compiler.ts";
import { CelError } from "./errors.ts";
import type { Node } from "./frame.ts";
import type { CelValue } from "./values.ts";

/** Is told what the parts of an expression come to while it is evaluated, each when it is done. */
export interface Observer {
  /** An evaluation begins. */
  begin(): void;
  saw(expr: Expr, value: CelValue | CelError): void;
}

/**
 * A compiler whose programs tell an observer what they do; their values, errors and costs are the same. A chain such as
 * `object.spec.replicas` is one part. Of what `&&`, `||` and `?:` leave out, nothing is told.
 */
export class ObservedCompiler extends Compiler {
  readonly #observer: Observer;

  constructor(observer: Observer, ...rest: ConstructorParameters<typeof Compiler>) {
    super(...rest);
    this.#observer = observer;
  }

  override compile(expr: Expr, attributeCost = 1): Node {
    const { run, constant } = super.compile(expr, attributeCost);
    const observer = this.#observer;
    return {
      ...(constant === undefined ? {} : { constant }),
      run: (frame) => {
        try {
          const value = run(frame);
          observer.saw(expr, value);
          return value;
        } catch (error) {
          if (error instanceof CelError) observer.saw(expr, error);
          throw error;
        }
      },
    };
  }
}
