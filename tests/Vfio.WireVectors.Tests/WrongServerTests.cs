using Vfio.Native;
using Vfio.WireVectors.Loading;
using Vfio.WireVectors.Wire;

namespace Vfio.WireVectors.Tests;

/// <summary>No vector passes whatever a server does: each kind of comparison fails where it should.</summary>
public class WrongServerTests
{
    private const string InfoStep = """
        {"send": "DEVICE_GET_INFO", "body": [{"device_info": {}}],
         "reply": {"body": [{"device_info": {"argsz": 16, "flags": 3}}], "fds": 0}}
        """;

    public static TheoryData<string> Files => [.. VectorsCommand.OwnFiles().Select(Path.GetFileName).Select(name => name!)];

    [Theory, MemberData(nameof(Files))]
    public void Every_vector_fails_against_a_server_that_always_succeeds_or_one_that_always_refuses(string file)
    {
        foreach (var vector in Vectors.All.Where(vector => vector.Origin == file))
        {
            var withSuccess = ScriptedServer.Run(vector, _ => new([]));
            var withErrors = ScriptedServer.Run(vector, _ => new([], (int)Errno.EIO));
            Assert.True(withSuccess.Count + withErrors.Count > 0, vector.Name);
            Assert.NotEmpty(withErrors);
        }
    }

    [Fact]
    public void A_server_that_answers_right_passes() => Assert.Empty(Run(InfoStep, _ => new(Words(16, 3, 9, 5))));

    [Fact]
    public void A_wrong_field_is_named_with_both_values()
        => Assert.Equal(["DEVICE_GET_INFO: device_info.flags: expected 0x3, got 0x2"], Run(InfoStep, _ => new(Words(16, 2, 9, 5))));

    [Fact]
    public void A_payload_of_another_length_is_told()
        => Assert.Equal(
            ["DEVICE_GET_INFO: the reply's payload: expected 16 bytes, got 20"], Run(InfoStep, _ => new(Words(16, 3, 9, 5, 0))));

    [Fact]
    public void An_error_in_place_of_success_is_told()
        => Assert.Equal(["DEVICE_GET_INFO: expected success, got ENOTTY"], Run(InfoStep, _ => new([], (int)Errno.ENOTTY)));

    [Fact]
    public void A_descriptor_that_should_not_come_is_told()
    {
        using var extra = EventFd.Create();
        Assert.Equal(
            ["DEVICE_GET_INFO: expected 0 descriptors, got 1"], Run(InfoStep, _ => new(Words(16, 3, 9, 5)) { Descriptors = [extra] }));
    }

    [Fact]
    public void A_reply_to_something_else_is_told()
        => Assert.Equal(
            ["DEVICE_GET_INFO: a reply that answers nothing: success with 16 bytes, id 3"],
            Run(InfoStep, _ => new(Words(16, 3, 9, 5)) { IdOffset = 1 }));

    [Fact]
    public void A_connection_that_is_closed_is_told()
        => Assert.Equal(["DEVICE_GET_INFO: the server has closed the connection, and not answered"], Run(InfoStep, _ => Answer.Close));

    [Fact]
    public void Commands_of_the_server_must_be_those_that_are_expected_in_order()
    {
        const string Read = """
            {"send": "DEVICE_RESET", "reply": {},
             "dma": {"memory": "m", "at": 4096, "commands": [["DMA_READ", 4096, 16], ["DMA_READ", 8192, 1]]}}
            """;
        Answer Right() => new([]) { Commands = [(11, Long(4096, 16)), (11, Long(8192, 1))] };
        Assert.Empty(Run(Read, _ => Right()));
        Assert.Equal(
            ["DEVICE_RESET: expected DMA_READ of 16 bytes at 0x1000, got DMA_READ of 8 bytes at 0x1000",
                "DEVICE_RESET: expected DMA_READ of 1 bytes at 0x2000, got DMA_WRITE of 1 bytes at 0x2000",
                "DEVICE_RESET: expected no more commands of the server's, got DMA_READ of 1 bytes at 0x2000"],
            Run(Read, _ => new([]) { Commands = [(11, Long(4096, 8)), (12, [.. Long(8192, 1), 0]), (11, Long(8192, 1))] }));
        Assert.Equal(
            ["DEVICE_RESET: expected DMA_READ of 1 bytes at 0x2000, and it did not come"],
            Run(Read, _ => new([]) { Commands = [(11, Long(4096, 16))] }));
    }

    [Fact]
    public void What_is_written_must_be_in_the_memory()
    {
        const string Write = """
            {"send": "DEVICE_RESET", "reply": {}, "dma": {"memory": "m", "at": 4096, "commands": [["DMA_WRITE", 4097, 2]]}},
            {"memory": "m", "at": 1, "is": "0a0b"}
            """;
        Assert.Empty(Run(Write, _ => new([]) { Commands = [(12, [.. Long(4097, 2), 10, 11])] }));
        Assert.Equal(
            ["memory m: bytes at 1: expected 0b, got 0c"], Run(Write, _ => new([]) { Commands = [(12, [.. Long(4097, 2), 10, 12])] }));
    }

    [Fact]
    public void Counters_must_hold_what_is_expected()
    {
        const string Fire = """{"send": "DEVICE_RESET", "reply": {}, "fds": ["e"]}, {"counter": "e", "is": 5}""";
        Assert.Equal(["counter of e: expected 5, got 4"], Run(Fire, _ => new([])));
        Assert.Empty(Run(Fire, message =>
        {
            Assert.True(EventFd.Signal(Assert.Single(message.Descriptors)));
            return new([]);
        }));
    }

    [Fact]
    public void A_connection_that_should_be_closed_must_be()
    {
        const string Closed = """
            {"send": "DEVICE_RESET", "reply": {"errno": "EINVAL"}}, {"send": "DEVICE_RESET", "reply": {"closed": true}}
            """;
        var asked = 0;
        Assert.Empty(Run(Closed, _ => asked++ % 2 == 0 ? new([], (int)Errno.EINVAL) : Answer.Close));
        Assert.Equal(["DEVICE_RESET: expected the end of the connection, got EINVAL"], Run(Closed, _ => new([], (int)Errno.EINVAL)));
    }

    [Fact]
    public void A_server_that_should_be_silent_must_be()
    {
        const string Later = """{"send": "DEVICE_RESET", "later": "a", "reply": {}}, {"quiet": 1000}, {"reply-of": "a"}""";
        Assert.Equal(["silence: the server sends something"], Run(Later, _ => new([])));
    }

    [Fact]
    public void A_request_that_wants_no_reply_must_get_none()
    {
        const string Posted = """{"send": "DEVICE_RESET", "no-reply": true}, {"send": "DEVICE_GET_INFO", "reply": {}}""";
        Assert.Equal(
            ["DEVICE_GET_INFO: a reply that answers nothing: success with 0 bytes, id 2"],
            Run(Posted, message =>
            {
                Assert.Equal(message.Command == 13 ? WireMessage.NoReplyFlag : 0u, message.Flags);
                return new([]);
            }));
    }

    private static IReadOnlyList<string> Run(string steps, Func<WireMessage, Answer?> answer)
        => ScriptedServer.Run(
            Assert.Single(VectorFile.Read(
                $$$"""
                {"vectors": [{"name": "n", "test": "t", "setup": "s", "files": {"m": {"memory": 8192}, "e": {"eventfd": 4}},
                 "steps": [{{{steps}}}]}]}
                """,
                "here.json")),
            answer);

    private static byte[] Words(params ReadOnlySpan<uint> words) => System.Runtime.InteropServices.MemoryMarshal.AsBytes(words).ToArray();

    private static byte[] Long(params ReadOnlySpan<ulong> words) => System.Runtime.InteropServices.MemoryMarshal.AsBytes(words).ToArray();
}
