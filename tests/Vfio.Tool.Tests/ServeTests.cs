using System.Diagnostics;
using System.Runtime.InteropServices;
using Vfio.Tool.Demo.Client;

namespace Vfio.Tool.Tests;

public sealed partial class ServeTests : IDisposable
{
    private const int Sigint = 2;
    private const int Sigterm = 15;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly List<Process> _started = [];
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("vfio-tool-");

    public void Dispose()
    {
        foreach (var tool in _started)
        {
            if (!tool.HasExited)
                tool.Kill();
            tool.Dispose();
        }

        _directory.Delete(recursive: true);
    }

    [Theory]
    [InlineData]
    [InlineData("--poll", "0")]
    public async Task Clients_are_served_from_the_announcement_to_SIGTERM(params string[] more)
    {
        var tool = Start(["serve", "00.1", "--socket-path", Socket("a"), "--serve", $"00.2={Socket("b")}", .. more]);
        Assert.Equal($"serving 0000:01:00.1 on {Socket("a")}", await ReadLineAsync(tool));
        Assert.Equal($"serving 0000:01:00.2 on {Socket("b")}", await ReadLineAsync(tool));
        foreach (var path in new[] { Socket("a"), Socket("b") })
        {
            using var client = VfioUserClient.Connect(path, out var version);
            Assert.StartsWith("0.0 ", version, StringComparison.Ordinal);
            Assert.Equal((9u, 5u), client.GetInfo());
            Assert.Equal(0x4E561234u, BitConverter.ToUInt32(client.Read(RegionIndex.Config, 0, sizeof(uint))));
        }

        Assert.Equal(0, kill(tool.Id, Sigterm));
        await tool.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(0, tool.ExitCode);
        Assert.Empty(_directory.GetFiles());
    }

    [Theory]
    [InlineData(true, "--keep-open")]
    [InlineData(false)]
    public async Task A_device_is_kept_open_between_clients_where_that_is_asked_for(bool isKept, params string[] more)
    {
        var tool = Start(["serve", "00.1", "--socket-path", Socket("a"), .. more]);
        var said = new System.Text.StringBuilder();
        tool.ErrorDataReceived += (_, line) => said.AppendLine(line.Data);
        await ReadLineAsync(tool);
        for (var i = 0; i < 2; i++)
        {
            using var client = VfioUserClient.Connect(Socket("a"), out _);
            Assert.Equal((9u, 5u), client.GetInfo());
        }

        Assert.Equal(0, kill(tool.Id, Sigterm));
        await EndAsync(tool);
        Assert.Equal(0, tool.ExitCode);
        Assert.Equal(isKept, said.ToString().Contains("the client is gone; the device stays open", StringComparison.Ordinal));
    }

    [Fact]
    public async Task SIGTERM_while_a_client_is_connected_ends_it_as_well()
    {
        var tool = Start(["serve", "00.1", "--socket-path", Socket("a")]);
        await ReadLineAsync(tool);
        using var client = VfioUserClient.Connect(Socket("a"), out _);
        Assert.Equal(0, kill(tool.Id, Sigterm));
        await tool.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(0, tool.ExitCode);
        Assert.Contains(Assert.Throws<VfioException>(() => client.GetInfo()).Error, new[] { Errno.EPIPE, Errno.ECONNRESET });
    }

    [Theory]
    [InlineData("30", true)]
    [InlineData("1", false)]
    public async Task With_a_release_timeout_clients_are_asked_before_they_are_disconnected(string seconds, bool clientLeaves)
    {
        var tool = Start([
            "serve", "00.1", "--socket-path", Socket("a"), "--serve", $"00.2={Socket("b")}", "--release-timeout", seconds,
        ]);
        await ReadLineAsync(tool);
        await ReadLineAsync(tool);
        using (var client = VfioUserClient.Connect(Socket("a"), out _))
        {
            Assert.Equal(0, kill(tool.Id, Sigterm));
            Assert.Equal($"asking clients to release their devices, for {seconds} s at most", await ReadLineAsync(tool));
            if (clientLeaves)
                Assert.Equal((9u, 5u), client.GetInfo());
            else
                await EndAsync(tool);
        }

        await EndAsync(tool);
        Assert.Equal(0, tool.ExitCode);
        Assert.Empty(_directory.GetFiles());
    }

    [Theory]
    [InlineData("--release-timeout", "soon")]
    [InlineData("--poll", "1.5")]
    [InlineData("--fd", "0x3")]
    [InlineData("--ready-fd", "99999999999")]
    public async Task A_number_that_is_none_is_named_with_its_option(string option, string value)
    {
        var result = await Cli.RunAsync("serve", "00.1", "--socket-path", Socket("a"), option, value);
        Assert.Equal(2, result.Code);
        Assert.Empty(result.Out);
        Assert.Contains($"{option} {value}: it must be a whole number", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("86401")]
    public async Task A_release_timeout_has_an_end(string seconds)
        => (await Cli.RunAsync("serve", "00.1", "--socket-path", Socket("a"), "--release-timeout", seconds))
            .AssertFailed(2, $"--release-timeout {seconds}: it is 0 to 86400 seconds");

    [Fact]
    public async Task A_second_signal_ends_a_tool_that_does_not_heed_the_first()
    {
        using (var made = Process.Start("mkfifo", Socket("fifo")))
            await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        var tool = Start(["list", "--topology", Socket("fifo")]);

        // Opens once the tool waits there for what never comes.
        using var writer = await Task.Run(
            () => File.OpenHandle(Socket("fifo"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite),
            TestContext.Current.CancellationToken)
            .WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(0, kill(tool.Id, Sigint));
        Assert.Equal(0, kill(tool.Id, Sigterm));
        await tool.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.NotEqual(0, tool.ExitCode);
    }

    [Fact]
    public async Task A_ready_descriptor_that_cannot_be_written_is_named()
    {
        var tool = Start(["serve", "00.1", "--socket-path", Socket("a"), "--ready-fd", "0"], closedInput: true);
        await tool.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(1, tool.ExitCode);
        var error = await tool.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Contains("vfio: --ready-fd cannot be written: ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_that_cannot_be_had_is_not_announced()
    {
        var result = await Cli.RunAsync("serve", "00.1", "--socket-path", "/nowhere/a.sock");
        Assert.Equal(1, result.Code);
        Assert.Empty(result.Out);
        Assert.Contains("/nowhere/a.sock", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Trap", "50")]
    public async Task A_PF_and_its_VF_are_served_with_one_token_whoever_comes_first()
    {
        var tool = Start([
            "serve", "00.1", "--socket-path", Socket("vf"), "--serve", $"00.0={Socket("pf")}",
            "--vf-token", "52ac9bff-3a88-4fbd-901a-0d767c3b6c97",
        ]);
        Assert.Equal($"serving 0000:01:00.0 on {Socket("pf")}", await ReadLineAsync(tool));
        Assert.Equal($"serving 0000:01:00.1 on {Socket("vf")}", await ReadLineAsync(tool));
        foreach (var path in new[] { Socket("vf"), Socket("pf") })
        {
            using var client = VfioUserClient.Connect(path, out _);
            Assert.Equal((9u, 5u), client.GetInfo());
        }

        Assert.Equal(0, kill(tool.Id, Sigterm));
        await tool.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(0, tool.ExitCode);
    }

    [Theory]
    [InlineData("52ac9bff-3a88-4fbd-901a-0d767c3b6c97", "--vf-token is of no use to 0000:01:00.1")]
    [InlineData("mine", "--vf-token mine: it must be a UUID")]
    public async Task A_token_that_is_of_no_use_or_none_is_an_argument_that_is_wrong(string token, string reason)
    {
        var result = await Cli.RunAsync("serve", "00.1", "--socket-path", Socket("a"), "--vf-token", token);
        Assert.Equal(2, result.Code);
        Assert.Empty(result.Out);
        Assert.Contains(reason, result.Error, StringComparison.Ordinal);
        Assert.Empty(_directory.GetFiles());
    }

    [Fact]
    public async Task A_function_is_served_once()
    {
        var result = await Cli.RunAsync("serve", "00.1", "--socket-path", Socket("a"), "--serve", $"00.1={Socket("b")}");
        Assert.Equal(1, result.Code);
        Assert.Contains($"0000:01:00.1 is in use: served on {Socket("a")}", result.Error, StringComparison.Ordinal);
        Assert.Empty(_directory.GetFiles());
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int sig);

    // Well before the longest of the release timeouts that are given here.
    private static Task EndAsync(Process tool)
        => tool.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience / 2, TestContext.Current.CancellationToken);

    private string Socket(string name) => Path.Combine(_directory.FullName, name);

    // Of closed input nothing can be written to, and no stderr is read by itself.
    private Process Start(string[] args, bool closedInput = false)
    {
        var tool = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Vfio.Tool.dll"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = closedInput,
        })!;
        _started.Add(tool);
        if (!closedInput)
            tool.BeginErrorReadLine();
        return tool;
    }

    private static async Task<string?> ReadLineAsync(Process tool)
        => await tool.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask()
            .WaitAsync(Patience, TestContext.Current.CancellationToken);
}
