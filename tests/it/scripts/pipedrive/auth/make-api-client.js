import { RestApiClient } from '@integration-app/connector-sdk'
import { BadRequestError, ConnectionError, ConnectionErrorKey } from '@integration-app/sdk/errors'

export default function makeApiClient({ credentials }) {
  if (!credentials.api_token) {
    throw new BadRequestError('the API token is missing')
  }
  return new RestApiClient({
    baseUri: 'http://THIRD-PARTY/v1',
    query: { api_token: credentials.api_token },
    onError: (error) => {
      if (error.response.status === 401) {
        throw new ConnectionError({ message: 'not admitted', key: ConnectionErrorKey.ACCESS_TOKEN_EXPIRED })
      }
    },
  })
}
