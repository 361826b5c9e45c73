using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Sessions;
using Vfio.User.Transport;

namespace Vfio.User;

/// <summary>Serves one device on one endpoint to vfio-user clients, one after the other.</summary>
/// <remarks>
/// One thread of its own waits for the client and answers it, in order. The device is opened when a client has negotiated a version, and
/// closed when the client is gone: with <see cref="ResetCause.ClientLost"/> however it went (the protocol has no goodbye), with
/// <see cref="ResetCause.Close"/> when the server is stopped; <see cref="VfioUserServerOptions.KeepOpen"/> has it stay open between
/// clients. What the device throws becomes EIO for that one request. Thread-safe.
/// </remarks>
public sealed class VfioUserServer
{
    private static readonly TimeSpan AcceptRetry = TimeSpan.FromSeconds(1);
    private readonly VfioDevice _device;
    private readonly VfioUserServerOptions _options;
    private readonly ILogger _logger;
    private readonly TaskCompletionSource _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private ClientSession? _session;
    private int _started;

    /// <summary>Creates a server; it runs once.</summary>
    /// <param name="device">The device; the server opens and closes it, and never disposes it.</param>
    /// <param name="options">How to serve; null for the defaults.</param>
    /// <param name="logger">Whom to tell of clients and of the device's faults; null for no one.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public VfioUserServer(VfioDevice device, VfioUserServerOptions? options = null, ILogger? logger = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        _options = options ?? new VfioUserServerOptions();
        _options.Validate();
        _logger = logger ?? NullLogger.Instance;
    }

    /// <summary>Completes once clients are accepted; fails as <see cref="RunAsync"/> does if that never happens.</summary>
    public Task Listening => _listening.Task;

    /// <summary>
    /// Serves until it is cancelled, until a client is gone if <see cref="VfioUserServerOptions.EndAfterOneClient"/> says so, or until the
    /// one client of a connected descriptor is gone.
    /// </summary>
    /// <param name="endpoint">Where.</param>
    /// <param name="cancellationToken">
    /// Stops: the client is disconnected, the device closed, the socket removed. Being stopped is no failure.
    /// </param>
    /// <returns>Completes when the device is closed and the endpoint given up.</returns>
    /// <exception cref="VfioException">
    /// The endpoint cannot be had. EBUSY: somebody listens there. EEXIST: the path holds something that is no socket. EINVAL: the path is
    /// too long, or the descriptor no unix stream socket. Any errno of making a socket.
    /// </exception>
    /// <exception cref="InvalidOperationException">The server has run before.</exception>
    public Task RunAsync(VfioUserEndpoint endpoint, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        if (Interlocked.Exchange(ref _started, 1) != 0)
            throw new InvalidOperationException("A server runs once; make another.");
        var name = _options.Name ?? endpoint.ToString();
        var thread = new Thread(() => Run(endpoint, name, cancellationToken)) { IsBackground = true, Name = $"vfio-user:{name}" };
        thread.Start();
        return _finished.Task;
    }

    private void Run(VfioUserEndpoint endpoint, string name, CancellationToken stopping)
    {
        try
        {
            using var clients = ClientSource.Open(endpoint);
            using var wake = new WakeEvent();
            using var registration = stopping.Register(() => Stop(wake));
            _logger.Listening(name);
            _listening.TrySetResult();
            var opened = new OpenedDevice(_device, _options, name, _logger);
            try
            {
                Serve(clients, wake, opened, name, stopping);
            }
            finally
            {
                opened.Close(ResetCause.Close);
            }
        }
        catch (Exception failure)
        {
            endpoint.Socket?.Dispose();
            _listening.TrySetException(failure);
            _finished.TrySetException(failure);
            return;
        }

        _finished.TrySetResult();
    }

    private void Serve(ClientSource clients, WakeEvent wake, OpenedDevice opened, string name, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            var socket = clients.Accept(wake, out var error);
            if (socket is not null)
            {
                if (ServeOne(socket, opened, name, stopping) && _options.EndAfterOneClient)
                    return;
            }
            else if (error == Errno.None)
            {
                return;
            }
            else
            {
                // Out of descriptors or memory: the client stays in the backlog, and an event for what is missing does not exist.
                _logger.AcceptFailed(name, error);
                _ = Poll.Wait(wake.Handle, Native.Libc.POLLIN, null, (int)AcceptRetry.TotalMilliseconds);
            }
        }
    }

    private bool ServeOne(SafeFileHandle socket, OpenedDevice opened, string name, CancellationToken stopping)
    {
        ClientSession? session = null;
        try
        {
            session = new ClientSession(socket, opened, _options, name, _logger, stopping);
            lock (_lock)
                _session = session;

            // Whoever stopped the server before the line above has not disconnected this client.
            return !stopping.IsCancellationRequested && session.Run();
        }
        catch (Exception failure)
        {
            _logger.SessionFailed(failure, name);
            return false;
        }
        finally
        {
            lock (_lock)
                _session = null;
            session?.Dispose();
            socket.Dispose();
        }
    }

    private void Stop(WakeEvent wake)
    {
        wake.Set();
        lock (_lock)
            _session?.Stop();
    }
}
