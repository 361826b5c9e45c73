namespace Vfio.Tool.Tests.Migration;

public sealed class MigrateTests
{
    private const string LongPlace =
        "unix:/tmp/a-path-that-is-longer-than-what-an-address-of-a-unix-socket-has-room-for/because-the-kernel-gives-it-no-more-than-108-bytes";

    [Fact]
    public async Task A_device_moves_between_two_functions_of_the_command()
    {
        await using var movers = await Movers.StartAsync();
        var result = await Cli.RunAsync(
            "--remote", movers.Path("source"), "--remote", movers.Path("destination"), "migrate", "ffff:00:00.0", "--to", "ffff:00:01.0");
        Assert.Equal((0, true), (result.Code, result.Out.StartsWith("migrated ffff:00:00.0 to ffff:00:01.0: ", StringComparison.Ordinal)));
        Assert.Contains("downtime", result.Out, StringComparison.Ordinal);
        Assert.Contains("--keep-open", result.Error, StringComparison.Ordinal);
        await movers.AssertMovedAsync();
    }

    [Fact]
    public async Task A_device_moves_over_a_unix_socket_which_is_gone_afterwards()
    {
        await using var movers = await Movers.StartAsync();
        var place = $"unix:{movers.Path("wire")}";
        var (ended, waiting) = movers.Restore(place);
        Assert.Equal(place, await waiting);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(movers.Path("wire")));
        var sent = await movers.MigrateAsync(place, "--json");
        var received = await ended;
        Assert.Equal((0, 0), (sent.Code, received.Code));
        var report = sent.Json();
        Assert.Equal("migrated", report.GetProperty("outcome").GetString());
        Assert.InRange(report.GetProperty("bytes").GetInt64(), Movers.Content.Length, 400_000);
        Assert.True(report.GetProperty("rounds").GetInt32() > 0);
        Assert.True(report.GetProperty("downtime").GetDouble() > 0);
        Assert.Contains($"restored {Movers.Function} from {place}: ", received.Out, StringComparison.Ordinal);
        Assert.False(File.Exists(movers.Path("wire")));
        await movers.AssertMovedAsync();
    }

    [Fact]
    public async Task Show_tells_the_state_of_a_kept_device_and_leaves_it_in_it()
    {
        await using var movers = await Movers.StartAsync();
        Assert.Equal(0, (await movers.MigrateAsync(movers.Path("state"), "--no-precopy")).Code);
        var shown = (await Cli.RunAsync("--remote", movers.Path("source"), "show", Movers.Function, "--json")).Json();
        Assert.Equal(["stop-copy", "p2p", "pre-copy"], shown.GetProperty("migration").EnumerateArray().Select(flag => flag.GetString()));
        Assert.Equal("Stop", shown.GetProperty("migrationState").GetProperty("state").GetString());
        Assert.Equal(Movers.Content.Length, shown.GetProperty("migrationState").GetProperty("dataSize").GetInt64());
        var text = (await Cli.RunAsync("--remote", movers.Path("source"), "show", Movers.Function)).Out;
        Assert.Contains($"\tMigration state: Stop, STOP_COPY {Movers.Content.Length} bytes\n", text, StringComparison.Ordinal);
        Assert.Equal(MigrationState.Stop, (await movers.Source.MigrationOps.GetStateAsync(CancellationToken.None)).Value);
        Assert.Equal(Movers.Content, movers.Source.State);
    }

    [Fact]
    public async Task A_device_is_saved_into_a_file_and_restored_from_it()
    {
        await using var movers = await Movers.StartAsync();
        var file = movers.Path("state");
        Assert.Equal(0, (await movers.MigrateAsync(file, "--no-precopy")).Code);
        (await movers.MigrateAsync(file)).AssertFailed(1, "exists");
        Assert.False(File.Exists(file + ".partial"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(0, (await movers.Restore(file).Ended).Code);
        await movers.AssertMovedAsync();
    }

    [Fact]
    public async Task A_truncated_or_altered_file_is_refused_before_the_device_is_touched()
    {
        await using var movers = await Movers.StartAsync();
        var file = movers.Path("state");
        Assert.Equal(0, (await movers.MigrateAsync(file)).Code);
        var bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        var steps = 0;
        movers.Destination.OnStep = _ => steps++;
        await File.WriteAllBytesAsync(file, bytes[..^1], TestContext.Current.CancellationToken);
        (await movers.Restore(file).Ended).AssertFailed(1, "ends in the middle");
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(file, bytes, TestContext.Current.CancellationToken);
        (await movers.Restore(file).Ended).AssertFailed(1, "a checksum is wrong");
        Assert.Equal(0, steps);
    }

    [Fact]
    public async Task A_device_of_another_kind_is_refused_on_both_sides_and_the_source_runs()
    {
        await using var movers = await Movers.StartAsync(destinationId: 0x154C);
        var (ended, waiting) = movers.Restore($"unix:{movers.Path("wire")}");
        var sent = await movers.MigrateAsync(await waiting, "--json");
        Assert.Equal((1, 1), (sent.Code, (await ended).Code));
        Assert.Contains("8086:154c", sent.Error, StringComparison.Ordinal);
        Assert.Contains("the source is RUNNING", sent.Error, StringComparison.Ordinal);
        Assert.Equal("sourceRuns", sent.Json().GetProperty("outcome").GetString());
        Assert.Equal("EINVAL", sent.Json().GetProperty("error").GetString());
        await movers.AssertNotMovedAsync();
    }

    [Fact]
    public async Task An_interrupt_leaves_the_source_running()
    {
        await using var movers = await Movers.StartAsync();
        var (ended, waiting) = movers.Restore($"unix:{movers.Path("wire")}");
        using var interrupt = new CancellationTokenSource();
        movers.Source.OnStep = arc =>
        {
            if (arc.To == MigrationState.StopCopy)
                interrupt.Cancel();
        };
        var sent = await Cli.RunAsync(
            new(), interrupt.Token, "--remote", movers.Path("source"), "migrate", Movers.Function, "--to", await waiting);
        sent.AssertFailed(130, "interrupted; the source is RUNNING again");
        Assert.Equal(1, (await ended).Code);
        await movers.AssertNotMovedAsync();
    }

    [Fact]
    public async Task Restore_holds_the_device_until_it_is_interrupted()
    {
        await using var movers = await Movers.StartAsync();
        Assert.Equal(0, (await movers.MigrateAsync(movers.Path("state"))).Code);
        using var interrupt = new CancellationTokenSource();
        var heard = new HeardText();
        var holding = heard.Line("holding ");
        var restoring = Cli.RunAsync(
            heard, interrupt.Token, "--remote", movers.Path("destination"), "restore", movers.Path("state"), Movers.Function, "--hold");
        Assert.Equal($"{Movers.Function} until SIGTERM or SIGINT", await holding);
        Assert.False(restoring.IsCompleted);
        await interrupt.CancelAsync();
        Assert.Equal(0, (await restoring).Code);
        await movers.AssertMovedAsync();
    }

    [Fact]
    public async Task Nobody_who_comes_within_the_time_is_a_failure()
    {
        await using var movers = await Movers.StartAsync();
        var result = await movers.Restore($"unix:{movers.Path("wire")}", "--timeout", "1").Ended;
        Assert.Equal(1, result.Code);
        Assert.Contains("not done within 1 s; nothing runs here", result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(movers.Path("wire")));
    }

    [Fact]
    public async Task Nobody_who_listens_is_a_failure_that_says_what_to_start()
    {
        await using var movers = await Movers.StartAsync();
        (await movers.MigrateAsync($"unix:{movers.Path("nobody")}")).AssertFailed(1, "is vfio restore");
        await movers.AssertNotMovedAsync();
    }

    [Fact]
    public async Task A_terminal_sees_how_it_goes()
    {
        await using var movers = await Movers.StartAsync();
        var result = await Cli.RunAsync(
            new(isTerminal: true), TestContext.Current.CancellationToken,
            "--remote", movers.Path("source"), "migrate", Movers.Function, "--to", movers.Path("state"));
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains("migrated ", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_directory_is_refused_before_the_device_is_touched()
    {
        await using var movers = await Movers.StartAsync();
        var steps = 0;
        movers.Source.OnStep = _ => steps++;
        (await movers.MigrateAsync(movers.Directory.FullName)).AssertFailed(1, "is a directory");
        Assert.Equal(0, steps);
        Assert.False(File.Exists(movers.Directory.FullName + ".partial"));
    }

    [Fact]
    public async Task A_device_that_a_migration_has_left_runs_again_only_where_that_was_asked_for()
    {
        foreach (var state in new[] { MigrationState.PreCopy, MigrationState.StopCopy, MigrationState.Stop })
        {
            await using var movers = await Movers.StartAsync();
            var left = await movers.Source.MigrationOps.SetStateAsync(state, TestContext.Current.CancellationToken);
            if (left.Value is { } stream)
                await stream.DisposeAsync();
            (await movers.MigrateAsync(movers.Path("state"))).AssertFailed(1, "--recover");
            Assert.Equal(state, (await movers.Source.MigrationOps.GetStateAsync(CancellationToken.None)).Value);
            var sent = await movers.MigrateAsync(movers.Path("state"), "--recover");
            Assert.True(sent.Code == 0, sent.Error);
            Assert.Contains("RUNNING again", sent.Error, StringComparison.Ordinal);
            Assert.Equal(0, (await movers.Restore(movers.Path("state")).Ended).Code);
            await movers.AssertMovedAsync();
        }
    }

    [Fact]
    public async Task A_restore_that_failed_half_way_can_be_tried_again()
    {
        await using var movers = await Movers.StartAsync();
        Assert.Equal(0, (await movers.MigrateAsync(movers.Path("state"))).Code);
        var left = await movers.Destination.MigrationOps.SetStateAsync(MigrationState.Resuming, TestContext.Current.CancellationToken);
        await left.Value!.DisposeAsync();
        var received = await movers.Restore(movers.Path("state")).Ended;
        Assert.True(received.Code == 0, received.Error);
        await movers.AssertMovedAsync();
    }

    [Fact]
    public async Task An_interrupt_is_heeded_while_the_destination_hangs()
    {
        await using var movers = await Movers.StartAsync();
        using var interrupt = new CancellationTokenSource();
        using var released = new ManualResetEventSlim();
        movers.Destination.OnStep = arc =>
        {
            if (arc.To != MigrationState.Resuming)
                return;
            interrupt.Cancel();
            released.Wait();
        };
        try
        {
            var moving = Cli.RunAsync(
                new(), interrupt.Token, "--remote", movers.Path("source"), "--remote", movers.Path("destination"),
                "migrate", "ffff:00:00.0", "--to", "ffff:00:01.0");
            (await moving.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken)).AssertFailed(130, "interrupted");
        }
        finally
        {
            released.Set();
        }

        await movers.AssertNotMovedAsync();
    }

    [Theory]
    [InlineData(2, "name one for each", "migrate", "00.1", "00.2", "--to", "00.3")]
    [InlineData(2, "one place", "migrate", "00.1", "00.2", "--to", "unix:/a", "unix:/b")]
    [InlineData(2, "--insecure", "migrate", "00.1", "--to", "tcp:localhost:1")]
    [InlineData(2, "--insecure", "restore", "tcp:localhost:1", "00.1", "--cert", "a")]
    [InlineData(2, "no use", "migrate", "00.1", "--to", "tcp:localhost:1", "--insecure", "--ca", "a")]
    [InlineData(2, "are for tcp", "migrate", "00.1", "--to", "unix:/a", "--insecure")]
    [InlineData(2, "tcp:HOST:PORT", "migrate", "00.1", "--to", "tcp:localhost", "--insecure")]
    [InlineData(2, "tcp:HOST:PORT", "migrate", "00.1", "--to", "tcp:::1:5", "--insecure")]
    [InlineData(2, "at most 107 bytes", "migrate", "00.1", "--to", LongPlace)]
    [InlineData(2, "--downtime -1", "migrate", "00.1", "--to", "a", "--downtime", "-1")]
    [InlineData(2, "--max-rounds 0", "migrate", "00.1", "--to", "a", "--max-rounds", "0")]
    [InlineData(2, "--timeout 0", "migrate", "00.1", "--to", "a", "--timeout", "0")]
    [InlineData(2, "--hold", "migrate", "00.1", "--to", "a", "--hold")]
    [InlineData(2, "is a function", "restore", "00.1", "00.2")]
    [InlineData(1, "no function's address ends in", "migrate", "07.7", "--to", "a")]
    public async Task What_makes_no_sense_is_refused(int code, string reason, params string[] args)
    {
        var result = await Cli.RunAsync(args);
        Assert.Equal(code, result.Code);
        Assert.Contains(reason, result.Error, StringComparison.Ordinal);
    }
}
