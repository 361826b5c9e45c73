using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class TopologyTests
{
    [Fact]
    public async Task The_default_topology_has_a_PF_and_four_VFs()
    {
        await using var fixture = await Fixture.CreateAsync();
        Assert.Equal(
            ["0000:01:00.0", "0000:01:00.1", "0000:01:00.2", "0000:01:00.3", "0000:01:00.4"],
            fixture.Functions.Select(f => f.Address.ToString()));
        Assert.All(fixture.Functions, f => Assert.Equal("nvme", f.Model));
        Assert.Equal([-1, 0, 1, 2, 3], fixture.Functions.Select(f => f.VirtualFunctionIndex));
        Assert.Equal(0x010802u, fixture.Vf(0).Id.ClassCode);
    }

    [Fact]
    public void What_is_written_is_read_again()
    {
        var json = TopologyDefinition.Default.ToJson();
        Assert.Equal(json, TopologyDefinition.Parse(json, "default").ToJson());
        Assert.Contains("\"model\": \"nvme\"", json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"address\": \"0000:01:00.0\"", "\"address\": \"1:2\"", 5, "$.models[0].address")]
    [InlineData("\"size\": 1048576", "\"size\": 1000", 10, "$.models[0].namespaces[0].size")]
    [InlineData("\"blockSize\": 512", "\"blockSize\": 520", 11, "$.models[0].namespaces[0].blockSize")]
    [InlineData("\"id\": 2", "\"id\": 1", 13, "$.models[0].namespaces[1].id")]
    [InlineData("\"vf1\"", "\"vf2\"", 13, "$.models[0].namespaces[1].controllers[0]")]
    [InlineData("\"count\": 2", "\"count\": -1", 8, "$.models[0].virtualFunctions.count")]
    [InlineData("\"nqn.test:a\"", "\"test\"", 6, "$.models[0].nqn")]
    [InlineData("\"count\": 2", "\"queues\": 0", 8, "$.models[0].virtualFunctions.queues")]
    [InlineData("0000:05:00.0", "0000:01:00.2", 16, "$.models[1].address")]
    [InlineData("\"vf1\"", "null", 13, "$.models[0].namespaces[1].controllers[0]")]
    [InlineData("{ \"id\": 2, \"size\": 1048576, \"controllers\": [ \"vf1\" ] }", "null", 13, "$.models[0].namespaces[1]")]
    public void A_definition_that_cannot_be_built_names_line_and_property(string text, string instead, int line, string property)
    {
        var failure = Assert.Throws<TopologyException>(() => TopologyDefinition.Parse(Good.Replace(text, instead, StringComparison.Ordinal), "lab.json"));
        Assert.Equal((line, property), (failure.Line, failure.Property));
        Assert.StartsWith($"lab.json({line}): {property}: ", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"nvme\", // a", "\"floppy\", // a", 4)]
    [InlineData("\"serial\"", "\"seriall\"", 7)]
    [InlineData("1048576", "\"big\"", 10)]
    [InlineData("\"count\": 2", "\"count\": 2 2", 8)]
    [InlineData("\"nqn\": \"nqn.test:a\",", "", 4)]
    public void A_definition_of_the_wrong_shape_names_the_line(string text, string instead, int line)
    {
        var failure = Assert.Throws<TopologyException>(() => TopologyDefinition.Parse(Good.Replace(text, instead, StringComparison.Ordinal), "lab.json"));
        Assert.Equal(line, failure.Line);
        Assert.StartsWith("lab.json(", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_definition_in_the_README_is_one()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Vfio.sln")))
            directory = directory.Parent;
        var text = File.ReadAllText(Path.Combine(directory.FullName, "src/Vfio.Simulation/README.md"));
        var from = text.IndexOf("```jsonc", StringComparison.Ordinal) + "```jsonc".Length;
        var definition = TopologyDefinition.Parse(text[from..text.IndexOf("```", from, StringComparison.Ordinal)], "README.md");
        Assert.Equal(5, Assert.Single(definition.Models).Addresses().Count());
    }

    [Fact]
    public async Task VFs_get_what_their_entries_say()
    {
        const string Json = """
            { "models": [ { "model": "nvme", "address": "0000:03:00.0", "nqn": "nqn.test:b", "virtualFunctions": {
                "count": 10, "offset": 16, "stride": 2, "queues": 2, "vectors": 3,
                "functions": [ { "index": 9, "queues": 16, "vectors": 17 }, { "index": 1, "online": false } ] } } ] }
            """;
        await using var fixture = await Fixture.CreateAsync(Json);
        Assert.Equal("0000:03:04.2", fixture.Vf(9).Address.ToString());
        Assert.Equal(17, fixture.Vf(9).Interrupts.Count(IrqIndex.Msix));
        Assert.Equal(3, fixture.Vf(0).Interrupts.Count(IrqIndex.Msix));
        Assert.Equal(Register.CstsFatal, (uint)fixture.Vf(1).Bar(0)!.Read(Register.Csts, 4));
        using var guest = new GuestNvme(fixture.Vf(9)).Enable();
        Assert.Equal(0x000F_000Fu, guest.Run(guest.Command(AdminOpcode.GetFeatures, cdw10: 7)).Dword0);
    }

    [Fact]
    public async Task Storage_in_a_directory_stays_and_temporary_storage_does_not()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-tests-");
        try
        {
            var options = new SimulationOptions { StorageDirectory = directory.FullName };
            await using (var fixture = await Fixture.CreateAsync(options: options))
                Assert.Equal(NvmeStatus.Success, Transfer(fixture, IoOpcode.Write, 0x77));
            Assert.Equal(4, directory.GetFiles().Length);
            await using (var fixture = await Fixture.CreateAsync(options: options))
                Assert.Equal(NvmeStatus.Success, Transfer(fixture, IoOpcode.Compare, 0x77));
            await using (var fixture = await Fixture.CreateAsync())
                Assert.Equal(NvmeStatus.CompareFailure, Transfer(fixture, IoOpcode.Compare, 0x77));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_backing_file_that_cannot_be_had_says_which()
    {
        var json = Good.Replace("\"blockSize\": 512", "\"file\": \"/nowhere/at/all.raw\"", StringComparison.Ordinal);
        await using var topology = new SimulatedTopology(TopologyDefinition.Parse(json, "lab.json"));
        var failure = await Assert.ThrowsAsync<VfioException>(async () => await topology.DiscoverAsync(TestContext.Current.CancellationToken));
        Assert.Contains("/nowhere/at/all.raw", failure.Message, StringComparison.Ordinal);
    }

    private static NvmeStatus Transfer(Fixture fixture, IoOpcode opcode, byte value)
    {
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var entry = guest.Command(opcode, 1) with { Prp1 = guest.Memory.Allocate(4096) };
        guest.Memory.Span(entry.Prp1, 512).Fill(value);
        return guest.CreateQueue(1).Run(entry).Status;
    }

    private const string Good = """
        // A comment, and trailing commas below.
        {
          "models": [
            { "model": "nvme", // a
              "address": "0000:01:00.0",
              "nqn": "nqn.test:a",
              "serial": "S1",
              "virtualFunctions": { "count": 2 },
              "namespaces": [
                { "id": 1, "size": 1048576,
                  "blockSize": 512,
                },
                { "id": 2, "size": 1048576, "controllers": [ "vf1" ] },
              ],
            },
            { "model": "nvme", "address": "0000:05:00.0", "nqn": "nqn.test:c" },
          ],
        }
        """;

    [Theory]
    [InlineData(
        """
        { "model": "nvme", "address": "0000:01:00.0", "nqn": "nqn.a:b", "namespaces": [{ "id": 1, "size": 4096 }] },
        { "model": "nvme", "address": "0000:02:00.0", "nqn": "nqn.a_b", "namespaces": [{ "id": 1, "size": 4096 }] }
        """)]
    [InlineData(
        """
        { "model": "nvme", "address": "0000:01:00.0", "nqn": "nqn.a",
          "namespaces": [{ "id": 1, "size": 4096, "file": "x" }, { "id": 2, "size": 4096, "file": "./x" }] }
        """)]
    public async Task Two_namespaces_never_share_their_blocks(string models)
    {
        var directory = Directory.CreateTempSubdirectory("vfio-test-");
        try
        {
            var definition = TopologyDefinition.Parse($$"""{ "models": [{{models}}] }""", "test.json");
            await using var topology = new SimulatedTopology(definition, new() { StorageDirectory = directory.FullName });
            var failure = await Assert.ThrowsAsync<VfioException>(async () => await topology.DiscoverAsync(TestContext.Current.CancellationToken));
            Assert.Equal(Errno.EEXIST, failure.Error);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_backing_file_that_is_no_path_is_refused_in_words()
    {
        var definition = TopologyDefinition.Parse(
            """
            { "models": [{ "model": "nvme", "address": "0000:01:00.0", "nqn": "nqn.a",
              "namespaces": [{ "id": 1, "size": 4096, "file": "a\u0000b" }] }] }
            """, "test.json");
        await using var topology = new SimulatedTopology(definition);
        var failure = await Assert.ThrowsAsync<VfioException>(async () => await topology.DiscoverAsync(TestContext.Current.CancellationToken));
        Assert.Contains("backing file", failure.Message, StringComparison.Ordinal);
    }
}
