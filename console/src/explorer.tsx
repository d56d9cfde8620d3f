/** The explorer: GraphiQL against the API that serves this page, nothing fetched from anywhere else. */
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./explorer.css";

import { createGraphiQLFetcher, type Fetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";

import { FIRST_QUERY } from "./first-query";

const EMPTY_TOKEN = "Bearer ";

// This page stands where the API stands: its own address without a query is the endpoint.
const send = createGraphiQLFetcher({ url: window.location.pathname });

// Nobody typed a token yet: ask as nobody rather than with a token that is wrong.
const fetcher: Fetcher = (params, options) => {
  const { Authorization: token, ...others } = options?.headers ?? {};
  const headers = token === undefined || token.trim() === EMPTY_TOKEN.trim() ? others : { ...others, Authorization: token };
  return send(params, { ...options, headers });
};

createRoot(document.getElementById("explorer")!).render(
  <GraphiQL
    fetcher={fetcher}
    defaultQuery={FIRST_QUERY}
    defaultHeaders={JSON.stringify({ Authorization: EMPTY_TOKEN }, null, 2)}
    defaultEditorToolsVisibility="headers"
    shouldPersistHeaders={false} // a token does not belong in the browser's storage
  />,
);
