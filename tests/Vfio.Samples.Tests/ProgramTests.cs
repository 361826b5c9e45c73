using System.Diagnostics;
using Vfio.Samples.Tests.Peers;
using Vfio.User.Tests.Peers;

namespace Vfio.Samples.Tests;

/// <summary>The samples as programs.</summary>
public sealed class ProgramTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly string _directory = Directory.CreateTempSubdirectory("vfio-samples-").FullName;

    public static TheoryData<string, string[]> OneClient => new() { { "SharedPages", ["-v"] }, { "Gpio", ["-R"] } };

    public static TheoryData<string, string[]> ManyClients => new() { { "SharedPages", ["-k"] }, { "Gpio", ["-v", "-M"] } };

    private string Socket => Path.Combine(_directory, "s");

    [Theory]
    [MemberData(nameof(OneClient))]
    public async Task Ends_with_0_once_its_one_client_is_gone(string sample, string[] options)
    {
        using var program = Start(sample, [.. options, Socket]);
        Assert.Contains(Socket, await program.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        using (var client = new SampleClient(RawSocket.Connect(Socket)))
            client.Negotiate();
        await ExitAsync(program, 0);
        Assert.False(File.Exists(Socket));
    }

    [Theory]
    [MemberData(nameof(ManyClients))]
    public async Task Serves_one_client_after_the_other_until_SIGTERM(string sample, string[] options)
    {
        using var program = Start(sample, [.. options, "--socket-path", Socket]);
        Assert.Contains(Socket, await program.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        for (var i = 0; i < 2; i++)
        {
            using var client = new SampleClient(RawSocket.Connect(Socket));
            client.Negotiate();
        }

        using var kill = Process.Start("kill", ["-TERM", program.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await ExitAsync(program, 0);
    }

    [Theory]
    [InlineData("SharedPages")]
    [InlineData("SharedPages", "-x", "s")]
    [InlineData("SharedPages", "s", "t")]
    [InlineData("Gpio", "--socket-path")]
    [InlineData("Gpio", "-k", "s")]
    public async Task Wrong_arguments_end_with_2(string sample, params string[] arguments)
    {
        using var program = Start(sample, arguments);
        Assert.StartsWith("usage:", await program.StandardError.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        await ExitAsync(program, 2);
    }

    [Fact]
    public async Task A_path_that_cannot_be_had_ends_with_1_and_a_reason()
    {
        using var program = Start("Gpio", [Path.Combine(_directory, "absent", "s")]);
        Assert.Contains("absent", await program.StandardError.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        await ExitAsync(program, 1);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static Process Start(string sample, string[] arguments)
        => Process.Start(new ProcessStartInfo("dotnet", ["exec", Path.Combine(AppContext.BaseDirectory, $"{sample}.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;

    private static async Task ExitAsync(Process program, int code)
    {
        try
        {
            await program.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
            Assert.Equal(code, program.ExitCode);
        }
        finally
        {
            if (!program.HasExited)
                program.Kill();
        }
    }
}
