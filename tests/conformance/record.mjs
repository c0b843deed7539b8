// SPDX-License-Identifier: Apache-2.0
// What an SDK made of each answer, collected by name and printed as one JSON object for pytest to look at.

/** Cases of one run: each is what its function returned, or its exception as {failed, status, message, ...}. */
export class Record {
  #cases = {};

  /** Runs one case. */
  async add(name, work) {
    try {
      this.#cases[name] = (await work()) ?? null;
    } catch (error) {
      this.#cases[name] = {
        failed: error.constructor.name,
        message: String(error.message),
        cause: String(error.cause ?? ""),
        status: error.status ?? error.statusCode ?? null,
        ...this.describe(error),
      };
    }
  }

  /** What else an SDK's exceptions say; each suite has its own. */
  describe(_error) {
    return {};
  }

  /** Prints the cases. */
  print() {
    process.stdout.write(JSON.stringify(this.#cases));
  }
}

/** All items of an asynchronous iterable. */
export async function gather(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}
