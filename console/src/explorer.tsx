/** The explorer: GraphiQL against the API that serves this page, nothing fetched from anywhere else. */
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./explorer.css";

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";

import { FIRST_QUERY } from "./first-query";

// This page stands where the API stands: its own address without a query is the endpoint.
const fetcher = createGraphiQLFetcher({ url: window.location.pathname });
const headers = JSON.stringify({ Authorization: "Bearer " }, null, 2);

createRoot(document.getElementById("explorer")!).render(
  <GraphiQL
    fetcher={fetcher}
    defaultQuery={FIRST_QUERY}
    defaultHeaders={headers}
    defaultEditorToolsVisibility="headers"
    shouldPersistHeaders={false} // a token does not belong in the browser's storage
  />,
);
