/** What the explorer shows to whoever opens it for the first time. */
export const FIRST_QUERY = `# May this live room go on air,
# and if not, what is missing?
#
# Print a token in the checkout:
#   .venv/bin/greenroom token --account seller-cn
# Put it behind "Bearer " under "Headers" below,
# then press Ctrl-Enter.

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
