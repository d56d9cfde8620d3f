/** What the explorer shows to whoever opens it for the first time. */
export const FIRST_QUERY = `# May this live room go on air,
# and if not, what is missing?
#
# Put a token under "Headers" below:
#   greenroom token --account …
# Then press Ctrl-Enter.

query ConsoleHome {
  viewer {
    id
    name
    permissions
    accounts {
      id
      externalId
      name
      kind
      nationality
      console {
        canBroadcast
        needsFirstAuthentication
      }
    }
  }
  admissionPolicy {
    name
    revision
    phase
    launchAt
    submissionSuffices
  }
}
`;
