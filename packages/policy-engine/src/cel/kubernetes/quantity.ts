import { CelError } from "../errors.ts";
import type { Library } from "../library.ts";
import { BOOL, DOUBLE, INT, STRING } from "../types.ts";
import { type CelValue, isInt, makeDouble, makeInt } from "../values.ts";
import { functions, methods, shape } from "./declare.ts";
import { asInstance, asText, KubernetesValue, noSuchOverload, QUANTITY } from "./kubernetes-types.ts";
import {
  addQuantities,
  compareQuantities,
  parseQuantity,
  type Quantity,
  quantityAsDouble,
  quantityAsInteger,
  quantityOfInt,
  quantitySign,
  subtractQuantities,
} from "./resource-quantity.ts";

/** apiserver's pkg/cel/library/quantity.go. */

export class QuantityValue extends KubernetesValue {
  readonly type = QUANTITY;
  /** The result of `add` or `sub`. */
  readonly isComputed: boolean;
  /** Large ones are compared digit by digit. */
  override readonly work: number;
  #quantity: Quantity;

  constructor(quantity: Quantity, isComputed = false) {
    super();
    this.#quantity = quantity;
    this.work = quantityWork(quantity);
    this.isComputed = isComputed;
  }

  get quantity(): Quantity {
    return this.#quantity;
  }

  /** The server does not recognise what it computed itself on the right of `==` (a pointer in Go, not a value). */
  protected override equalsSameType(other: KubernetesValue): boolean {
    if (!(other instanceof QuantityValue) || other.isComputed) throw noSuchOverload();
    return compareQuantities(this.#quantity, other.quantity) === 0;
  }

  /**
   * Compares, and where the other side is a decimal turns decimal itself, as the server's `Quantity.Cmp` does to
   * its receiver: a value used again after that (as a variable) is no integer any more.
   */
  compareTo(other: Quantity): number {
    const order = compareQuantities(this.#quantity, other);
    if (other.form === "decimal") this.#quantity = { ...this.#quantity, form: "decimal" };
    return order;
  }
}

/** What an operation on a quantity takes, in units of work.ts. */
function quantityWork({ unscaled, exponent }: Quantity): number {
  if (BigInt.asIntN(64, unscaled) === unscaled && Math.abs(exponent) < 20) return 1;
  return (unscaled.toString(16).length + Math.min(Math.abs(exponent), MAX_WRITTEN_OUT)) * DIGIT_WORK;
}

const DIGIT_WORK = 10;
/** Powers of ten beyond this are never written out (resource-quantity.ts). */
const MAX_WRITTEN_OUT = 10_000;

const computed = (quantity: Quantity): QuantityValue => new QuantityValue(quantity, true);

const quantityOf = (value: CelValue): Quantity => asInstance(value, QuantityValue).quantity;

function compareTo(receiver: CelValue, other: CelValue): number {
  return asInstance(receiver, QuantityValue).compareTo(quantityOf(other));
}

function toQuantity(value: CelValue): QuantityValue {
  const quantity = parseQuantity(asText(value));
  if ("error" in quantity) throw new CelError(quantity.error);
  return new QuantityValue(quantity.value);
}

function intQuantity(value: CelValue): Quantity {
  if (!isInt(value)) throw noSuchOverload();
  return quantityOfInt(BigInt(value));
}

function asInteger(value: CelValue): CelValue {
  const integer = quantityAsInteger(quantityOf(value));
  if (integer === undefined) throw new CelError("cannot convert value to integer");
  return makeInt(integer);
}

export const quantityLibrary: Library = {
  name: "kubernetes.quantity",
  functions: [
    functions(
      "quantity",
      shape("string_to_quantity", [STRING], QUANTITY, (text = null) => toQuantity(text)),
    ),
    functions(
      "isQuantity",
      shape("is_quantity_string", [STRING], BOOL, (text = null) => "value" in parseQuantity(asText(text))),
    ),
    // Declared without receiver upstream, so `sign(q)` is how it is called.
    functions(
      "sign",
      shape("quantity_sign", [QUANTITY], INT, (value = null) => quantitySign(quantityOf(value))),
    ),
    methods(
      "isGreaterThan",
      shape(
        "quantity_is_greater_than",
        [QUANTITY, QUANTITY],
        BOOL,
        (a = null, b = null) => compareTo(a, b) > 0,
      ),
    ),
    methods(
      "isLessThan",
      shape("quantity_is_less_than", [QUANTITY, QUANTITY], BOOL, (a = null, b = null) => compareTo(a, b) < 0),
    ),
    methods(
      "compareTo",
      shape("quantity_compare_to", [QUANTITY, QUANTITY], INT, (a = null, b = null) => compareTo(a, b)),
    ),
    methods(
      "asApproximateFloat",
      shape("quantity_get_float", [QUANTITY], DOUBLE, (value = null) =>
        makeDouble(quantityAsDouble(quantityOf(value))),
      ),
    ),
    methods(
      "asInteger",
      shape("quantity_get_int", [QUANTITY], INT, (value = null) => asInteger(value)),
    ),
    methods(
      "isInteger",
      shape(
        "quantity_is_integer",
        [QUANTITY],
        BOOL,
        (value = null) => quantityAsInteger(quantityOf(value)) !== undefined,
      ),
    ),
    methods(
      "add",
      shape("quantity_add", [QUANTITY, QUANTITY], QUANTITY, (a = null, b = null) =>
        computed(addQuantities(quantityOf(a), quantityOf(b))),
      ),
      shape("quantity_add_int", [QUANTITY, INT], QUANTITY, (a = null, b = null) =>
        computed(addQuantities(quantityOf(a), intQuantity(b))),
      ),
    ),
    methods(
      "sub",
      shape("quantity_sub", [QUANTITY, QUANTITY], QUANTITY, (a = null, b = null) =>
        computed(subtractQuantities(quantityOf(a), quantityOf(b))),
      ),
      shape("quantity_sub_int", [QUANTITY, INT], QUANTITY, (a = null, b = null) =>
        computed(subtractQuantities(quantityOf(a), intQuantity(b))),
      ),
    ),
  ],
};
