interface Question<T> {
  answer: Promise<T>;
  /** Of who asked first. */
  signal: AbortSignal | undefined;
}

/** An answer that several want at the same time: asked once, and asked again where it failed. */
export class Once<T> {
  #question: Question<T> | null = null;

  /** @param keep whether the answer stays true for whoever asks later */
  async get(
    ask: () => Promise<T>,
    signal?: AbortSignal,
    keep: (answer: T) => boolean = () => true,
  ): Promise<T> {
    for (;;) {
      const question = (this.#question ??= { answer: ask(), signal });
      try {
        const answer = await question.answer;
        if (!keep(answer)) this.#forget(question);
        return answer;
      } catch (thrown) {
        this.#forget(question);
        // What ended the volume that had asked, its deadline for example, need not end this one.
        if (question.signal?.aborted !== true || signal === question.signal) throw thrown;
        signal?.throwIfAborted();
      }
    }
  }

  #forget(question: Question<T>): void {
    if (this.#question === question) this.#question = null;
  }
}
