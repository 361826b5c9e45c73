namespace Vfio.Tool.Tests;

public sealed class ArgumentTests
{
    [Fact]
    public async Task Wrong_arguments_end_with_2_and_leave_stdout_alone()
    {
        Assert.Equal(2, (await Cli.RunAsync()).Code);
        var typo = await Cli.RunAsync("lits");
        Assert.Equal(2, typo.Code);
        Assert.Empty(typo.Out);
        Assert.Contains("list", typo.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await Cli.RunAsync("show")).Code);
        Assert.Equal(2, (await Cli.RunAsync("list", "--linux")).Code);
        Assert.Equal(2, (await Cli.RunAsync("serve", "00.1", "--socket-path", "/tmp/x", "--fd", "nine")).Code);
    }

    [Theory]
    [InlineData("nothing to serve", "serve")]
    [InlineData("where is 00.1 to be served", "serve", "00.1")]
    [InlineData("which function", "serve", "--socket-path", "/tmp/x")]
    [InlineData("two places", "serve", "00.1", "--socket-path", "/tmp/x", "--fd", "9")]
    [InlineData("FUNCTION=PATH", "serve", "--serve", "00.1")]
    [InlineData("FUNCTION=PATH", "serve", "--serve", "=x")]
    [InlineData("--fd -1: no such descriptor was inherited", "serve", "00.1", "--fd", "-1")]
    [InlineData("--fd 60000: no such descriptor was inherited", "serve", "00.1", "--fd", "60000")]
    [InlineData("--ready-fd -1: no such descriptor was inherited", "serve", "00.1", "--socket", "/tmp/x", "--ready-fd", "-1")]
    [InlineData("--ready-fd 60000: no such descriptor was inherited", "serve", "00.1", "--socket", "/tmp/x", "--ready-fd", "60000")]
    [InlineData("a socket's path is not empty", "serve", "00.1", "--socket", "")]
    public async Task Arguments_that_contradict_each_other_end_with_2(string reason, params string[] args)
        => (await Cli.RunAsync(args)).AssertFailed(2, reason);

    [Fact]
    public async Task A_descriptor_that_the_tool_opened_itself_is_none_that_it_was_given()
    {
        var path = Path.GetTempFileName();
        try
        {
            using var own = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
            var number = own.DangerousGetHandle().ToString(System.Globalization.CultureInfo.InvariantCulture);
            var result = await Cli.RunAsync("serve", "00.1", "--socket", path + ".sock", "--ready-fd", number);
            result.AssertFailed(2, $"--ready-fd {number}: no such descriptor was inherited");
            Assert.Equal(0, RandomAccess.GetLength(own));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("no function's address ends in '7f'", "show", "7f")]
    [InlineData("could be 0000:01:00.0, ", "explain", "")]
    [InlineData("plugin directory /nowhere does not exist", "list", "--plugins", "/nowhere")]
    [InlineData("topology /nowhere cannot be read", "list", "--topology", "/nowhere")]
    [InlineData("topology /nowhere cannot be read", "topology", "--check", "/nowhere")]
    [InlineData("no driver is named 'nonesuch'; there are nvme-vfio-pci, vfio-pci", "show", "00.1", "--driver", "nonesuch")]
    public async Task What_cannot_be_done_ends_with_1_and_says_what_to_do(string reason, params string[] args)
        => (await Cli.RunAsync(args)).AssertFailed(1, reason);

    [Fact]
    public async Task Help_and_version_are_no_failure()
    {
        Assert.Equal(0, (await Cli.RunAsync("--help")).Code);
        Assert.Equal(0, (await Cli.RunAsync("--version")).Code);
        Assert.Contains("--ready-fd", (await Cli.RunAsync("serve", "--help")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupted_command_ends_with_130()
    {
        using var text = new StringWriter();
        using var interrupted = new CancellationTokenSource();
        await interrupted.CancelAsync();
        Assert.Equal(130, await VfioCommand.RunAsync(["list"], text, text, false, interrupted.Token));
    }
}
