export default async function test({ apiClient }) {
  const me = await apiClient.get('/users/me')
  if (!me.success) {
    throw new Error('the API does not know the user')
  }
}
