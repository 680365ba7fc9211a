/** How many differences are told one by one; the rest is counted. */
const told = 10;

/** What was found to differ, as `FILE: how`. */
export class Differences {
  readonly first: string[] = [];
  number = 0;

  add(text: string): void {
    this.number += 1;
    if (this.first.length < told) this.first.push(text);
  }
}
