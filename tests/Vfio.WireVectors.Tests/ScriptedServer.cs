using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.WireVectors.Model;
using Vfio.WireVectors.Running;
using Vfio.WireVectors.Wire;

namespace Vfio.WireVectors.Tests;

/// <summary>What a scripted server sends for a request: nothing, if it closes the connection.</summary>
internal sealed record Answer(byte[] Body, int Error = 0)
{
    public static Answer? Close => null;

    public IReadOnlyList<SafeFileHandle> Descriptors { get; init; } = [];

    /// <summary>Commands of the server's own that are sent before it.</summary>
    public IReadOnlyList<(ushort Command, byte[] Body)> Commands { get; init; } = [];

    public int IdOffset { get; init; }
}

/// <summary>A server that answers as a test says, however wrong.</summary>
internal static class ScriptedServer
{
    private const ushort Version = 1;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10), ShortPatience = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs a vector against it; the first message, if it is the runner's own, gets what any server answers.</summary>
    public static IReadOnlyList<string> Run(Vector vector, Func<WireMessage, Answer?> answer)
    {
        var (client, server) = Pair();
        var serving = Task.Factory.StartNew(
            () => Serve(server, message => vector.Client is not null && message.Command == Version ? new([0, 0, 1, 0]) : answer(message)),
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        IReadOnlyList<string> differences;
        using (var run = new VectorRun(vector, client, null, ShortPatience))
            differences = run.Run();
        Assert.True(serving.Wait(Patience, TestContext.Current.CancellationToken));
        return differences;
    }

    private static void Serve(WireSocket socket, Func<WireMessage, Answer?> answer)
    {
        using (socket)
        {
            while (TryReceive(socket) is { } message)
            {
                using (message)
                {
                    if (message.IsReply && message.Command is 11 or 12)
                        continue;
                    if (answer(message) is not { } reply)
                        return;
                    foreach (var (command, body) in reply.Commands)
                        socket.Send([.. WireMessage.Header(0, command, (uint)(16 + body.Length), 0, 0), .. body], []);
                    var flags = WireMessage.ReplyType | (reply.Error != 0 ? WireMessage.ErrorFlag : 0);
                    var header = WireMessage.Header(
                        (ushort)(message.Id + reply.IdOffset), message.Command, (uint)(16 + reply.Body.Length), flags, reply.Error);
                    socket.Send([.. header, .. reply.Body], [.. reply.Descriptors]);
                }
            }
        }
    }

    // A header that lies about its size ends the script: what comes after it is nothing.
    private static WireMessage? TryReceive(WireSocket socket)
    {
        try
        {
            return socket.Receive(Patience);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private static unsafe (WireSocket Client, WireSocket Server) Pair()
    {
        var ends = stackalloc int[2];
        Assert.Equal(0, Libc.socketpair(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0, ends));
        return (new(new(ends[0], ownsHandle: true)), new(new(ends[1], ownsHandle: true)));
    }
}
