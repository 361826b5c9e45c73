using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Commands;
using Vfio.User.Dma;
using Vfio.User.Negotiation;
using Vfio.User.Requests;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Sessions;

/// <summary>One client, from its connection to its end. All of it happens on the serving thread, but for <see cref="Stop"/>.</summary>
internal sealed class ClientSession : IDisposable
{
    private const int InitialBody = 4096;
    private readonly ILogger _logger;
    private readonly string _name;
    private readonly OpenedDevice _opened;
    private readonly MessageChannel _channel;
    private readonly Incoming _incoming;
    private readonly Reply _reply = new();
    private readonly TimeProvider _time;
    private readonly long _replyDeadline;
    private Message _request = new(InitialBody);
    private volatile TwinSocket? _twin;

    public ClientSession(
        SafeFileHandle socket, OpenedDevice opened, VfioUserServerOptions options, string name, ILogger logger, CancellationToken stopping)
    {
        _opened = opened;
        Options = options;
        Stopping = stopping;
        _name = name;
        _logger = logger;
        _time = options.TimeProvider;
        _replyDeadline = options.ReplyDeadline == Timeout.InfiniteTimeSpan
            ? long.MaxValue : (long)(options.ReplyDeadline.TotalSeconds * _time.TimestampFrequency);
        SocketOption.Wish(socket, Native.Libc.SO_SNDBUF, Limits.SendBuffer);
        _channel = new MessageChannel(socket);
        _incoming = new Incoming(_channel, takesCommands: true, _time);
        Wait = new DeviceWait(socket, _time, stopping);
        Requests = null!;
        Client = null!;
    }

    public VfioDevice Device => _opened.Device;

    public VfioUserServerOptions Options { get; }

    /// <summary>Set when the server is stopped.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>What the client proposed. There from the negotiation on, as is all below.</summary>
    public PeerCapabilities Client { get; private set; }

    public ClientRequests Requests { get; private set; }

    /// <summary>Waits for the device where the client may vanish meanwhile.</summary>
    public DeviceWait Wait { get; }

    public ClientDmaSpace Dma => _opened.Dma;

    public ClientMigration? Migration => _opened.Migration;

    public ClientDmaLogging? DmaLogging => _opened.DmaLogging;

    public uint RegionCount => _opened.RegionCount;

    public uint IrqCount => _opened.IrqCount;

    /// <summary>
    /// Serves the client until it is gone, or the server is stopped; then the device is closed and nothing of the client's is left.
    /// </summary>
    /// <returns>Whether it negotiated a version.</returns>
    public bool Run()
    {
        try
        {
            if (!Negotiate())
                return false;
            Serve();
            return true;
        }
        finally
        {
            End();
        }
    }

    /// <summary>Disconnects the client. From any thread.</summary>
    public void Stop()
    {
        _channel.Shutdown();
        _twin?.Channel.Shutdown();
    }

    /// <summary>Tells people of a fault of the device.</summary>
    public void Report(Exception fault, string what) => _opened.Report(fault, what);

    public void Dispose()
    {
        _twin?.Dispose();
        _incoming.Dispose();
        Wait.Dispose();
        _channel.Dispose();
        _request.Dispose();
        _reply.Dispose();
    }

    private bool Negotiate()
    {
        var wait = new NegotiationWait(_channel.Socket, Options.NegotiationTimeout, _time);
        while (Receive(wait))
        {
            if (_request.Header is { Type: MessageFlags.Command, Command: Command.Version })
                return CarryOutVersion();
            _request.Descriptors.CloseAll();
            if (SendError(Errno.EINVAL) != Errno.None || !IsMessageType(_request.Header))
                return false;
        }

        return false;
    }

    private bool CarryOutVersion()
    {
        _request.Descriptors.CloseAll();
        var parsed = PeerCapabilities.Parse(_request.Body);
        if (!parsed.IsSuccess)
        {
            _logger.NegotiationRefused(_name);
            SendError(parsed.Error);
            return false;
        }

        Client = parsed.Value;

        // Only a reply could take the client its end.
        var wantsReply = !_request.Header.NoReply;
        if (Client.TwinSocket && wantsReply)
            _twin = new TwinSocket(_time);
        Requests = new ClientRequests(
            _twin?.Channel ?? _channel, _twin?.Incoming ?? _incoming, Client.DataTransfer, Options.TransferTimeout);
        var opened = _opened.Open(Requests, Wait, Stopping);
        if (!opened.IsSuccess)
        {
            _logger.OpenFailed(_name, opened.Error);
            SendError(opened.Error);
            return false;
        }

        var length = ServerCapabilities.Write(
            Client, Options.MaxDmaMaps, migrates: Migration is not null || DmaLogging is not null,
            _twin is null ? null : _reply.Attach(_twin.ClientEnd), _reply);
        var sent = wantsReply ? _reply.Send(_channel.Sender, _request.Header, length) : Errno.None;
        _reply.Clear();
        _twin?.ClientEnd.Dispose();
        _logger.Connected(_name, Client.Minor, _twin is not null);
        return sent == Errno.None;
    }

    private void Serve()
    {
        while (!Stopping.IsCancellationRequested && Receive(null))
        {
            if (!Answer())
                return;
        }
    }

    private bool Receive(ReceiveWait? wait)
    {
        switch (_incoming.Next(ref _request, wait))
        {
            case ReceiveStatus.Message:
                return true;
            case ReceiveStatus.Malformed:
                _logger.Malformed(_name, _request.Header.MessageSize);
                SendError(Errno.EINVAL);
                return false;
            case ReceiveStatus.Interrupted:
                _logger.NegotiationTimedOut(_name);
                return false;
            case ReceiveStatus.Broken:
                _logger.Broken(_name);
                return false;
            default:
                return false;
        }
    }

    // False: the session ends.
    private bool Answer()
    {
        ref readonly var header = ref _request.Header;
        if (header.Type != MessageFlags.Command)
        {
            _request.Descriptors.CloseAll();
            return SendError(Errno.EINVAL) == Errno.None && IsMessageType(header);
        }

        var result = CarryOut();
        _request.Descriptors.CloseAll();
        var sent = Errno.None;
        if (!header.NoReply)
        {
            if (result is { IsSuccess: true, Value: > 0 } && IsLate(header))
            {
                // Its bits are the client's no more, and the log's no more either.
                if (ReportedRange.Of(header, _request.Body) is { } reported)
                    DmaLogging?.CountAsWritten(reported);
                result = Errno.ETIMEDOUT;
            }

            sent = _reply.Send(_channel.Sender, header, result);
        }

        _reply.Clear();
        return sent == Errno.None;
    }

    // What has been read of a data stream cannot be read again: that is sent, however late.
    private bool IsLate(in MessageHeader header)
        => header.Command != Command.MigrationDataRead && _time.GetTimestamp() - _request.Arrived > _replyDeadline;

    private VfioResult<int> CarryOut()
    {
        if (CommandTable.Find(_request.Header.Command) is not { } handler)
            return Errno.EINVAL;
        try
        {
            return handler(this, _request, _reply);
        }
        catch (Exception fault)
        {
            Report(fault, _request.Header.Command.ToString());
            return Errno.EIO;
        }
    }

    // A message of no known type: what follows is anyone's guess.
    private static bool IsMessageType(in MessageHeader header) => header.Type is MessageFlags.Command or MessageFlags.Reply;

    private Errno SendError(Errno error) => Reply.SendError(_channel.Sender, _request.Header, error);

    private void End()
    {
        // Whoever waits for the client is let go first: the device may be waiting for them.
        Requests?.Close();
        _opened.Leave(Stopping.IsCancellationRequested);
        Requests?.WaitIdle();
    }
}
