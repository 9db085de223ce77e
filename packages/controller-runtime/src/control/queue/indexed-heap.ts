/** An element that remembers where in its heap it sits; -1 when in none. */
export interface HeapSlot {
  heapIndex: number;
}

/**
 * Binary heap whose elements know their position, so that any of them can be moved or taken out in O(log n).
 * An element is in at most one heap at a time.
 */
export class IndexedHeap<T extends HeapSlot> {
  readonly #slots: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#slots.length;
  }

  get first(): T | undefined {
    return this.#slots[0];
  }

  push(element: T): void {
    this.#slots.push(element);
    this.#siftUp(element, this.#slots.length - 1);
  }

  shift(): T | undefined {
    const first = this.#slots[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  remove(element: T): void {
    const index = element.heapIndex;
    if (this.#slots[index] !== element) return;
    const last = this.#slots.pop();
    element.heapIndex = -1;
    if (last === undefined || last === element) return;
    this.#place(last, index);
    this.moved(last);
  }

  /** Call after what `element` is ordered by has changed. */
  moved(element: T): void {
    this.#siftUp(element, element.heapIndex);
    this.#siftDown(element, element.heapIndex);
  }

  clear(): void {
    for (const element of this.#slots) element.heapIndex = -1;
    this.#slots.length = 0;
  }

  #place(element: T, index: number): void {
    this.#slots[index] = element;
    element.heapIndex = index;
  }

  #siftUp(element: T, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#slots[parentIndex];
      if (parent === undefined || !this.#isBefore(element, parent)) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(element, index);
  }

  #siftDown(element: T, from: number): void {
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      const left = this.#slots[child];
      if (left === undefined) break;
      const right = this.#slots[child + 1];
      let next = left;
      if (right !== undefined && this.#isBefore(right, left)) {
        next = right;
        child++;
      }
      if (!this.#isBefore(next, element)) break;
      this.#place(next, index);
      index = child;
    }
    this.#place(element, index);
  }
}
