using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Client.Calls;
using Vfio.User.Client.Connecting;
using Vfio.User.Wire;

namespace Vfio.User;

/// <summary>
/// A connection to a vfio-user server: sends commands and takes replies, many at once, and serves the server's DMA. Thread-safe.
/// </summary>
/// <remarks>
/// One thread for each socket receives, and one carries out what the server asks on the socket of the replies; none runs code of the caller
/// but that of the memory. The server's errno is the result of a call. A connection that is broken, or whose server breaks the protocol,
/// fails every call: ECONNRESET for those that wait, ENOTCONN for those that come.
/// </remarks>
public sealed class VfioUserClient : IAsyncDisposable
{
    /// <summary>What libvfio-user takes in one piece, whatever it announces.</summary>
    private const int CautiousWrite = 32 << 10;

    private readonly Connection _connection;

    private VfioUserClient(Connection connection, Caller caller, VfioUserServerInfo server, VfioUserClientOptions options)
    {
        _connection = connection;
        Caller = caller;
        Server = server;
        MaxWrite = Math.Min(
            server.MaxDataTransfer, options.MaxWriteSize ?? (server.AnnouncesMaps ? server.MaxDataTransfer : CautiousWrite));
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
    /// <exception cref="OperationCanceledException">It was given up.</exception>
    public static async Task<VfioUserClient> ConnectAsync(
        VfioUserEndpoint endpoint, IDmaSpace? dma = null, VfioUserClientOptions? options = null, ILogger? logger = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        options ??= new VfioUserClientOptions();
        options.Validate();
        logger ??= NullLogger.Instance;
        var name = options.Name ?? endpoint.ToString();
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(options.ConnectTimeout);
        try
        {
            var socket = await ServerSocket.ConnectAsync(endpoint, limited.Token).ConfigureAwait(false);
            var connection = new Connection(socket, dma, name, logger);
            try
            {
                var caller = new Caller(connection, options.CallTimeout);
                var server = await ClientNegotiation.RunAsync(connection, caller, options.TwinSocket, limited.Token).ConfigureAwait(false);
                logger.ClientConnected(name, server.Minor, server.TwinSocket, server.Capabilities);
                return new VfioUserClient(connection, caller, server, options);
            }
            catch
            {
                await connection.DisposeAsync().ConfigureAwait(false);
                throw;
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VfioException(Errno.ETIMEDOUT, $"{name}: the server has not negotiated a version within {options.ConnectTimeout}");
        }
    }

    /// <summary>What the server said of itself.</summary>
    public VfioUserServerInfo Server { get; }

    /// <summary>
    /// Completes when the connection has ended: successfully after <see cref="DisposeAsync"/>, with a <see cref="VfioException"/> that says
    /// why otherwise.
    /// </summary>
    public Task Completion => _connection.Completion;

    internal Caller Caller { get; }

    /// <summary>The most data of one message to the server.</summary>
    internal int MaxWrite { get; }

    internal string Name => _connection.Name;

    /// <summary>Makes a call of any command and waits for its reply on this thread.</summary>
    /// <param name="command">The command's number.</param>
    /// <param name="request">The payload.</param>
    /// <param name="reply">Receives the reply's payload; a longer one breaks the protocol, and ends the connection.</param>
    /// <param name="descriptors">What to pass along; they stay the caller's.</param>
    /// <returns>Bytes of the reply's payload. The server's errno. ECONNRESET, ENOTCONN or ETIMEDOUT: there is no reply.</returns>
    public VfioResult<int> Call(
        int command, ReadOnlySpan<byte> request, Span<byte> reply, ReadOnlySpan<SafeFileHandle> descriptors = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)command, ushort.MaxValue);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(request.Length, (int)Limits.Message - MessageHeader.Size);
        var call = Caller.Begin((Command)command, request, reply.Length);
        if (call is null)
            return Errno.ENOTCONN;
        try
        {
            var result = Caller.Call(call, default, descriptors);
            if (result.IsSuccess)
                call.Reply.CopyTo(reply);
            return result;
        }
        finally
        {
            Caller.End(call);
        }
    }

    /// <summary>Ends the connection; every call that waits fails with ENOTCONN.</summary>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    /// <summary>Ends the connection because of something in a reply that cannot be.</summary>
    /// <returns>EPROTO.</returns>
    internal Errno Refuse(string fault)
    {
        _connection.End(new VfioException(Errno.EPROTO, $"{Name}: the server {fault}; the connection is given up"));
        return Errno.EPROTO;
    }
}
