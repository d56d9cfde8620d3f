// Follows an account with a published client until so many changes have come, through as many reconnections as it takes.
// Arguments, as JSON: { client, url, token, query, variables, count }. Prints one JSON object for each thing that happens.
import { createClient as createSocketClient } from "graphql-ws";
import { createClient as createEventClient } from "graphql-sse";

const { client: kind, url, token, query, variables, count } = JSON.parse(process.argv[2]);
const say = (told) => console.log(JSON.stringify(told));
const retrying = { retryAttempts: 1000 };
const soon = () => new Promise((resolve) => setTimeout(resolve, 50));

const clients = {
  ws: () =>
    createSocketClient({
      url,
      ...retrying,
      retryWait: soon,
      shouldRetry: () => true,
      connectionParams: () => ({ authorization: `Bearer ${token}` }),
      on: { connected: () => say({ connected: true }), closed: (event) => say({ closed: event.code }) },
    }),
  distinct: () => events(false),
  single: () => events(true),
};

function events(singleConnection) {
  return createEventClient({
    url,
    singleConnection,
    ...retrying,
    retry: soon,
    headers: () => ({ authorization: `Bearer ${token}` }),
    on: { connected: () => say({ connected: true }) },
  });
}

const client = clients[kind]();
let seen = 0;
await new Promise((resolve, reject) => {
  const stop = client.subscribe(
    { query, variables },
    {
      next(result) {
        if (result.errors) return reject(new Error(JSON.stringify(result.errors)));
        const change = result.data.verificationStatusChanged;
        variables.after = change.cursor; // what is sent when it comes again
        say({ status: change.status, cursor: change.cursor });
        if (++seen === count) {
          stop();
          resolve();
        }
      },
      error: reject,
      complete: resolve,
    },
  );
}).catch((reason) => {
  say({ failed: Array.isArray(reason) ? reason : String(reason.message ?? reason.reason ?? reason) });
});
await client.dispose();
