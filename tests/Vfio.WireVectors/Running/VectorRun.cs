using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Vfio.WireVectors.Model;
using Vfio.WireVectors.Wire;

namespace Vfio.WireVectors.Running;

/// <summary>One vector against one server: a connection of its own, from the negotiation to the close.</summary>
internal sealed class VectorRun : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly Vector _vector;
    private readonly WireSocket _socket;
    private readonly string? _peer;
    private readonly ClientFiles _files;
    private readonly Dictionary<string, (ushort Id, RequestStep Step)> _later = [];
    private readonly List<string> _differences = [];
    private WireSocket? _twin;
    private ushort _nextId = 1;

    /// <summary>Prepares a run.</summary>
    /// <param name="vector">What is done.</param>
    /// <param name="socket">A connection that nothing was sent over; owned from here on.</param>
    /// <param name="peer">Whose recorded answers count where there are any; null: those of record.</param>
    public VectorRun(Vector vector, WireSocket socket, string? peer)
    {
        _vector = vector;
        _socket = socket;
        _peer = peer;
        _files = new(vector.Files);
    }

    /// <summary>Comparisons that were made.</summary>
    public int Assertions { get; private set; }

    /// <summary>Does it.</summary>
    /// <returns>What was not as expected; empty for success.</returns>
    public IReadOnlyList<string> Run()
    {
        try
        {
            if (_vector.Client is null || Negotiate(_vector.Client))
            {
                // What comes after a difference would be about something else.
                foreach (var step in _vector.Steps)
                {
                    Take(step);
                    if (_differences.Count > 0)
                        break;
                }
            }
        }
        catch (Exception e) when (e is TimeoutException or InvalidDataException or KeyNotFoundException or IOException)
        {
            _differences.Add(e.Message);
        }

        return _differences;
    }

    public void Dispose()
    {
        _twin?.Dispose();
        _socket.Dispose();
        _files.Dispose();
    }

    private bool Negotiate(string client)
    {
        byte[] body = [0, 0, 1, 0, .. System.Text.Encoding.UTF8.GetBytes(client), 0];
        var request = new RequestStep("VERSION", 1, new(null, null), new([new BytesPart(body)]), [], NoReply: false, null,
            new(0, null, null, "version"), new Dictionary<string, ReplySpec>(), null);
        var id = Send(request);
        using var reply = Await(request, id);
        if (reply is null)
            return false;
        if (reply.Error != 0)
        {
            Differ("VERSION", $"the server refuses the client: {ErrorName(reply.Error)}");
            return false;
        }

        FindTwin(reply);
        return true;
    }

    // The reply says which of its descriptors is the other socket.
    private void FindTwin(WireMessage reply)
    {
        if (reply.Body.Length <= 5)
            return;
        using var json = JsonDocument.Parse(reply.Body.AsMemory(4, reply.Body.Length - 5));
        if (!json.RootElement.TryGetProperty("capabilities", out var capabilities)
            || !capabilities.TryGetProperty("twin_socket", out var twin) || !twin.GetProperty("supported").GetBoolean())
            return;
        var index = twin.TryGetProperty("fd_index", out var at) ? at.GetInt32() : 0;
        if (index >= reply.Descriptors.Count)
            throw new InvalidDataException("the server grants a twin socket, and sends none");
        _twin = new(new SafeFileHandle(Native.Libc.fcntl(reply.Descriptors[index], Native.Libc.F_DUPFD_CLOEXEC, 0), ownsHandle: true));
    }

    private void Take(Step step)
    {
        switch (step)
        {
            case RequestStep request:
                Request(request);
                break;
            case ReplyStep reply:
                var (id, awaited) = _later[reply.Request];
                Compare(awaited, id);
                break;
            case CounterStep counter:
                Check(step, _files.Take(counter.File), counter.Expected);
                break;
            case SignalStep signal:
                _files.Signal(signal.File, signal.By);
                break;
            case MemoryStep memory:
                var lines = new List<string>();
                memory.Expected.Compare(_files.Read(memory.File, memory.At, memory.Expected.Length!.Value), lines);
                Assertions++;
                Differ(step.What, [.. lines]);
                break;
            case SameFileStep same:
                Check(step, _files.AreSame(same.First, same.Second), same.Expected);
                break;
            case ClosedStep:
                Assertions++;
                if (_socket.Receive(Patience) is { } extra)
                    Differ(step.What, $"expected its end, got {Describe(extra)}");
                break;
            case QuietStep quiet:
                Assertions++;
                if (Polling.Wait([_socket.Handle], TimeSpan.FromMilliseconds(quiet.Milliseconds)) is not null)
                    Differ(step.What, "the server sends something");
                break;
            default:
                throw new InvalidOperationException($"nothing does {step.GetType().Name}");
        }
    }

    private void Request(RequestStep request)
    {
        var id = Send(request);
        if (request.Later is { } name)
            _later.Add(name, (id, request));
        else if (!request.NoReply)
            Compare(request, id);
    }

    private ushort Send(RequestStep request)
    {
        var body = request.Body.Build();
        var id = _nextId++;
        var flags = request.Header.Flags ?? (request.NoReply ? WireMessage.NoReplyFlag : 0);
        var header = WireMessage.Header(id, request.Command, request.Header.Size ?? (uint)(WireMessage.HeaderLength + body.Length), flags, 0);
        if (!_socket.Send([.. header, .. body], [.. request.Descriptors.Select(name => _files[name])]))
            Differ(request.What, "the server has closed the connection");
        return id;
    }

    private void Compare(RequestStep request, ushort id)
    {
        var expected = _peer is not null && request.Recorded.TryGetValue(_peer, out var recorded) ? recorded : request.Reply;
        Assertions++;
        using var reply = Await(request, id, expected.IsClosed);
        if (reply is null)
            return;
        if (expected.IsClosed)
        {
            Differ(request.What, $"expected the end of the connection, got {Describe(reply)}");
            return;
        }

        if (reply.Error != expected.Error || ((reply.Flags & WireMessage.ErrorFlag) != 0) != (expected.Error != 0))
        {
            Differ(request.What, $"expected {ErrorName(expected.Error)}, got {Describe(reply)}");
            return;
        }

        var lines = new List<string>();
        expected.Body?.Compare(reply.Body, lines);
        if (expected.Descriptors is { } count && reply.Descriptors.Count != count)
            lines.Add($"expected {count} descriptors, got {reply.Descriptors.Count}");
        Differ(request.What, [.. lines]);
        if (expected.Save is { } name)
        {
            _files.Save(name, [.. reply.Descriptors.Select(fd => new SafeFileHandle(
                Native.Libc.fcntl(fd, Native.Libc.F_DUPFD_CLOEXEC, 0), ownsHandle: true))]);
        }
    }

    // Serves the server's own commands until the reply comes.
    private WireMessage? Await(RequestStep request, ushort id, bool mayClose = false)
    {
        var served = new ServedCommands(request.Dma, _files);
        while (true)
        {
            SafeFileHandle[] sockets = _twin is null ? [_socket.Handle] : [_socket.Handle, _twin.Handle];
            var ready = Polling.Wait(sockets, Patience) ?? throw new TimeoutException($"{request.What}: no reply in {Patience.TotalSeconds} s");
            var from = ready == _socket.Handle ? _socket : _twin!;
            var message = from.Receive(Patience);
            if (message is null)
            {
                if (!mayClose)
                    Differ(request.What, "the server has closed the connection, and not answered");
                return null;
            }

            if (message.IsReply)
            {
                Differ(request.What, served.Rest());
                if (message.Id == id && message.Command == request.Command && from == _socket)
                    return message;
                Differ(request.What, $"a reply that answers nothing: {Describe(message)}, id {message.Id}");
                message.Dispose();
                return null;
            }

            using (message)
                Differ(request.What, served.Serve(message, from, isTwin: from == _twin, hasTwin: _twin is not null));
        }
    }

    private void Check<T>(Step step, T actual, T expected)
    {
        Assertions++;
        if (!EqualityComparer<T>.Default.Equals(actual, expected))
            Differ(step.What, $"expected {expected}, got {actual}");
    }

    private void Differ(string what, params ReadOnlySpan<string> lines)
    {
        foreach (var line in lines)
            _differences.Add($"{what}: {line}");
    }

    private static string ErrorName(int error)
        => error == 0 ? "success" : Enum.IsDefined((Errno)error) ? ((Errno)error).ToString() : $"errno {error}";

    private static string Describe(WireMessage message) => message switch
    {
        { IsReply: false } => $"command {message.Command} with {message.Body.Length} bytes",
        { Error: not 0 } => ErrorName(message.Error),
        _ => $"success with {message.Body.Length} bytes",
    };
}
