import { KubernetesValue, NAMED_FORMAT } from "./kubernetes-types.ts";
import type { NameFormat } from "./name-formats.ts";

export class FormatValue extends KubernetesValue {
  readonly type = NAMED_FORMAT;
  readonly format: NameFormat;

  constructor(format: NameFormat) {
    super();
    this.format = format;
  }

  protected override equalsSameType(other: KubernetesValue): boolean {
    return other instanceof FormatValue && this.format.name === other.format.name;
  }
}
