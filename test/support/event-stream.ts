import { createParser, type EventSourceMessage } from "eventsource-parser";

/** A reader of server-sent events, as a program has one. */
export interface EventReader extends AsyncDisposable {
  readonly events: readonly EventSourceMessage[];
  readonly comments: readonly string[];
  /** The first event, one of before included, of which this is true. Fails when the stream ends before. */
  until(test: (event: EventSourceMessage) => boolean): Promise<EventSourceMessage>;
  untilComment(text: string): Promise<void>;
}

export async function readEvents(url: URL, headers: Readonly<Record<string, string>> = {}): Promise<EventReader> {
  const abort = new AbortController();
  const response = await fetch(url, { headers: { accept: "text/event-stream", ...headers }, signal: abort.signal });
  if (response.status !== 200 || response.body === null) throw new Error(`the stream was refused with ${response.status}`);
  const events: EventSourceMessage[] = [];
  const comments: string[] = [];
  const looks = new Set<() => void>();
  let ended = false;
  const lookAgain = (): void => {
    for (const look of looks) look();
  };
  const parser = createParser({
    onEvent: (event) => void events.push(event),
    onComment: (comment) => void comments.push(comment),
  });
  const reading = (async (): Promise<void> => {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        parser.feed(decoder.decode(chunk, { stream: true }));
        lookAgain();
      }
    } catch {
      // The stream was cut, by us or by the server; either way it is over.
    }
    ended = true;
    lookAgain();
  })();
  const until = async <T>(find: () => T | undefined): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const look = (): void => {
      const found = find();
      if (found !== undefined) resolve(found);
      else if (ended) reject(new Error(`the stream ended after ${events.map(({ data }) => data).join("\n")}`));
    };
    looks.add(look);
    look();
    return promise.finally(() => looks.delete(look));
  };
  return {
    events,
    comments,
    until: async (test) => until(() => events.find(test)),
    untilComment: async (text) => void (await until(() => comments.find((comment) => comment.includes(text)))),
    async [Symbol.asyncDispose]() {
      abort.abort();
      await reading;
    },
  };
}
