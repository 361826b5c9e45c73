using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Vfio.User;

/// <summary>
/// A connection to a vfio-user server: sends commands and takes replies, many at once, and serves the server's DMA. Thread-safe.
/// </summary>
/// <remarks>
/// One thread for each socket receives; it never runs user code. The server's errno is the result of a call. A connection that is broken, or
/// whose server breaks the protocol, fails every call: ECONNRESET for those that wait, ENOTCONN for those that come.
/// </remarks>
public sealed class VfioUserClient : IAsyncDisposable
{
    private VfioUserClient()
    {
    }

    /// <summary>Connects and negotiates a version.</summary>
    /// <param name="endpoint">Where the server listens, or a descriptor that is connected to it, which the client then owns.</param>
    /// <param name="dma">The memory that the server's DMA_READ and DMA_WRITE reach; null for none. It may block.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="logger">Whom to tell of what the server does wrong; null for no one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VfioException">
    /// ENOENT, ECONNREFUSED and the like: nobody listens. ETIMEDOUT: no answer. ECONNRESET: it hung up. EPROTO: what it answers is not the
    /// protocol. EOPNOTSUPP: it speaks another version. Any errno of the server.
    /// </exception>
    public static Task<VfioUserClient> ConnectAsync(
        VfioUserEndpoint endpoint, IDmaSpace? dma = null, VfioUserClientOptions? options = null, ILogger? logger = null,
        CancellationToken cancellationToken = default)
        => throw new NotSupportedException();

    /// <summary>What the server said of itself.</summary>
    public VfioUserServerInfo Server => throw new NotSupportedException();

    /// <summary>
    /// Completes when the connection has ended: successfully after <see cref="DisposeAsync"/>, with a <see cref="VfioException"/> that says
    /// why otherwise.
    /// </summary>
    public Task Completion => throw new NotSupportedException();

    /// <summary>Makes a call of any command and waits for its reply on this thread.</summary>
    /// <param name="command">The command's number.</param>
    /// <param name="request">The payload.</param>
    /// <param name="reply">Receives the reply's payload; a longer one breaks the protocol.</param>
    /// <param name="descriptors">What to pass along; they stay the caller's.</param>
    /// <returns>Bytes of the reply's payload. The server's errno. ECONNRESET, ENOTCONN or ETIMEDOUT: there is no reply.</returns>
    public VfioResult<int> Call(
        int command, ReadOnlySpan<byte> request, Span<byte> reply, ReadOnlySpan<SafeFileHandle> descriptors = default)
        => throw new NotSupportedException();

    /// <summary>Ends the connection; every call that waits fails with ENOTCONN.</summary>
    public ValueTask DisposeAsync() => throw new NotSupportedException();
}
