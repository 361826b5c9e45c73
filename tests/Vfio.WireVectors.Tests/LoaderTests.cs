using Vfio.WireVectors.Loading;

namespace Vfio.WireVectors.Tests;

public class LoaderTests
{
    private const string Reset = """{"send": "DEVICE_RESET", "reply": {}}""";

    [Theory]
    [InlineData("""{"send": "DEVICE_RESET", "reply": {}, "expect": 1}""", "steps[0]: \"expect\" is nothing that can stand here")]
    [InlineData("""{"send": "DEVICE_REST", "reply": {}}""", "steps[0].send: DEVICE_REST is no command")]
    [InlineData("""{"send": "DEVICE_RESET"}""", "steps[0]: has no \"reply\"")]
    [InlineData("""{"note": "nothing"}""", "steps[0]: a step is one of send, ")]
    [InlineData("""{"send": 5, "body": [{"region_inf": {}}], "reply": {}}""", "body[0]: \"region_inf\" is neither a structure nor")]
    [InlineData("""{"send": 5, "body": [{"region_info": {"idx": 1}}], "reply": {}}""", "region_info has no \"idx\"; it has argsz, flags")]
    [InlineData("""{"send": 5, "body": [{"region_info": {"index": 4294967296}}], "reply": {}}""", "0x100000000 does not fit 4 bytes")]
    [InlineData("""{"send": 5, "body": [{"region_info": {"index": "NINE"}}], "reply": {}}""", "\"NINE\" is neither a number nor a name")]
    [InlineData("""{"send": 5, "body": [{"region_info": {"index": -1}}], "reply": {}}""", "-1 is no number from 0")]
    [InlineData("""{"send": 5, "body": "0", "reply": {}}""", "steps[0].body: has half a byte")]
    [InlineData("""{"send": 5, "body": "??", "reply": {}}""", "\"??\" is no byte")]
    [InlineData("""{"send": 5, "body": [{"json": {}}, "00"], "reply": {}}""", "JSON text is the end of a payload")]
    [InlineData("""{"send": 5, "reply": {"errno": "EWHAT"}}""", "steps[0].reply.errno: EWHAT is no errno")]
    [InlineData("""{"send": 5, "reply": {"errno": "EINVAL", "body": "00"}}""", "steps[0].reply: an error")]
    [InlineData("""{"send": 5, "fds": ["e"], "reply": {}}""", "nothing is called \"e\"")]
    [InlineData("""{"send": 5, "reply": {}, "later": "a"}""", "nothing waits for the reply of \"a\"")]
    [InlineData("""{"reply-of": "a"}""", "no request is called \"a\"")]
    [InlineData("""{"state": "PRECOPY"}""", "steps[0].state: PRECOPY is no state")]
    [InlineData("""{"doorbell": "ring"}""", "ring is no command of the doorbell")]
    [InlineData("""{"send": 5, "reply": {}, "libvfio-user": {"errno": "EINVAL"}}""", "\"differs\" says why")]
    [InlineData("""{"send": 5, "reply": {}, "reply": {}}""", "steps[0]: has \"reply\" twice")]
    public void A_step_that_is_not_in_order_is_named_with_what_is_wrong(string step, string expected)
    {
        var message = Refused($$"""{"vectors": [{"name": "one", "test": "t", "setup": "s", "steps": [{{step}}]}]}""");
        Assert.StartsWith("here.json: \"one\"", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"vectors": [}""", "here.json: ")]
    [InlineData("""{"vectors": [], "vector": 1}""", "here.json: \"vector\" is nothing that can stand here")]
    [InlineData("""{"vectors": [{"test": "t", "setup": "s", "steps": []}]}""", "here.json.vectors[0]: has no \"name\"")]
    [InlineData("""{"vectors": [{"name": "a", "test": "t", "setup": "s", "steps": []}]}""", "here.json: \"a\": has no steps")]
    [InlineData(
        """{"vectors": [{"name": "a", "test": "t", "setup": "s", "files": {"e": {"evntfd": 1}}, "steps": []}]}""",
        "here.json: \"a\".files.e: is none of")]
    [InlineData(
        $$"""{"vectors": [{"name": "a", "test": "t", "setup": "s", "differs": "d", "steps": [{{Reset}}]}]}""",
        "here.json: \"a\": \"differs\" says why")]
    [InlineData(
        $$"""
        {"vectors": [
            {"name": "a", "test": "t", "setup": "s", "steps": [{{Reset}}]},
            {"name": "a", "test": "t", "setup": "s", "steps": [{{Reset}}]}]}
        """,
        "here.json: \"a\" is there twice")]
    public void A_file_that_is_not_in_order_is_named_with_what_is_wrong(string file, string expected)
        => Assert.StartsWith(expected, Refused(file), StringComparison.Ordinal);

    private static string Refused(string text) => Assert.Throws<VectorFileException>(() => VectorFile.Read(text, "here.json")).Message;
}
