/**
 * What `promise` comes to, or what `late` returns or throws where that takes longer. The promise goes on all the same.
 */
export async function within<T, L>(
  promise: Promise<T>,
  limitMs: number,
  late: () => L | Promise<L>,
): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<typeof tooLate>((resolve) => {
    timer = setTimeout(resolve, limitMs, tooLate);
  });
  // Whoever is late may fail long after anybody listens.
  promise.catch(() => undefined);
  try {
    const first = await Promise.race([promise, over]);
    return first === tooLate ? await late() : first;
  } finally {
    clearTimeout(timer);
  }
}

const tooLate = Symbol('too late');

/** What `promise` comes to. @throws the reason of `signal` as soon as it is aborted */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      reject(signal.reason as Error);
    };
  });
  signal.throwIfAborted();
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
